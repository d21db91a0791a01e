// Several mounts with temporary files in one folder: no mount removes a file that another mount uses.
import { utimesSync } from 'node:fs';
// The default export is the module itself, so that its functions can be replaced.
import os from 'node:os';
import { join } from 'node:path';
import type { ImageSaveOptions } from '../../lib/index.js';
import { get } from '../support/client.js';
import { list } from '../support/temp-dir.js';
import type { Handler } from '../support/host.js';
import { png } from '../support/images.js';
import { createDeferred } from '../support/deferred.js';
import { MemoryStore } from '../support/memory-store.js';
import { useSaveFixture } from '../support/use-save-fixture.js';

const { image: large, folder, serve } = useSaveFixture(() => png(800, 800));

beforeEach(() => {
  jest.spyOn(os, 'tmpdir').mockReturnValue(folder());
});
afterEach(() => {
  jest.restoreAllMocks();
});

it.each<[string, () => ImageSaveOptions]>([
  ['a save folder', () => ({})],
  ['the temporary folder of the system, beside a store', () => ({ store: new MemoryStore() })],
])(
  'a mount with a short limit keeps the temporary file of a mount with a long limit in %s',
  async (_where, target) => {
    const [begun, goesOn] = [createDeferred<unknown>(), createDeferred()];
    const slow: Handler = (_req, res) => {
      res.write(large().subarray(0, -1), begun.resolve);
      void goesOn.promise.then(() => res.end(large().subarray(-1)));
    };
    const patient = await serve(slow, { ...target(), maxTimeout: 600_000 });
    const quick: Handler = (_req, res) => {
      for (let at = 0; at < large().length; at += 100_000) res.write(large().subarray(at, at + 100_000));
      res.end();
    };
    const hasty = await serve(quick, { ...target(), maxTimeout: 20_000 });
    const saving = get(`${patient.url}/x?req=saveToFile&name=patient.png`);
    await begun.promise;
    while (list(folder()).length === 0) await new Promise(setImmediate);
    const [temporary] = list(folder());
    // Pretends that the last write was a minute ago, which is longer than the other mount's limit.
    const aMinuteAgo = Date.now() / 1000 - 60;
    utimesSync(join(folder(), temporary!), aMinuteAgo, aMinuteAgo);
    expect((await get(`${hasty.url}/x?req=saveToFile&name=hasty.png`)).reply.status).toBe('done');
    expect(list(folder())).toContain(temporary);
    goesOn.resolve();
    expect((await saving).reply.status).toBe('done');
  },
);
