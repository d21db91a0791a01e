// onPublished and publicUrl: between publishing and the reply, and never in the way of either.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SaveRecord } from '../../lib/index.js';
import { get } from '../support/client.js';
import { createDeferred, type Deferred } from '../support/deferred.js';
import { jpeg } from '../support/images.js';
import { SAVE, useSaveFixture } from '../support/use-save-fixture.js';

const { image, folder, records, recorded, serve, save } = useSaveFixture(() => jpeg(40, 30));

describe('onPublished', () => {
  let [begun, finish]: Deferred[] = [];
  /** Waits until the test lets it go on. */
  const onPublished = async (): Promise<void> => {
    begun!.resolve();
    await finish!.promise;
  };
  beforeEach(() => {
    [begun, finish] = [createDeferred(), createDeferred()];
  });

  test('is called when the image is in place, and the reply and onSave wait for it', async () => {
    let replied = false;
    const answer = save(undefined, { onPublished }).finally(() => (replied = true));
    await begun!.promise;
    expect(readFileSync(join(folder(), 'x.jpg')).equals(image())).toBe(true);
    await new Promise(setImmediate);
    expect([replied, records]).toEqual([false, []]);
    finish!.resolve();
    expect((await answer).reply.status).toBe('done');
  });

  test('gets the record that onSave gets, and both hooks get the request', async () => {
    const seen: [SaveRecord, string | undefined][] = [];
    const { reply } = await save(
      undefined,
      {
        publicUrl: (name, req) => `https://${req.headers['x-tenant'] as string}/${name}?by=${req.method}`,
        onPublished: (record, req) => void seen.push([record, req.method]),
      },
      SAVE,
      { method: 'POST', headers: { 'X-Tenant': 'acme.example' } },
    );
    expect(reply.url).toBe('https://acme.example/x.jpg?by=POST');
    const { milliseconds, ...record } = await recorded();
    expect(milliseconds).toBeGreaterThan(0);
    expect(seen).toEqual([[expect.objectContaining(record), 'POST']]);
    expect(record).toMatchObject({ outcome: 'done', url: reply.url });
  });

  test('holds no slot: other saves go on meanwhile', async () => {
    const { url } = await serve(undefined, {
      concurrency: 1,
      onPublished: ({ name }) => (name === 'x.jpg' ? onPublished() : undefined),
    });
    const first = get(url + SAVE);
    await begun!.promise;
    expect((await get(`${url}/x?req=saveToFile&name=b.jpg`)).reply.status).toBe('done');
    finish!.resolve();
    expect((await first).reply.status).toBe('done');
  });

  test('of a client that disconnects meanwhile is awaited, and the save is done', async () => {
    const client = new AbortController();
    const sent = save(undefined, { onPublished }, SAVE, { signal: client.signal });
    await begun!.promise;
    client.abort();
    await expect(sent).rejects.toThrow();
    finish!.resolve();
    await recorded();
    expect(records).toMatchObject([{ outcome: 'done', warning: undefined }]);
  });
});
