// check() of the middleware: resolves if images can be saved now, and leaves nothing.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
// The default export is the module itself, so that its functions can be replaced.
import os from 'node:os';
import { join } from 'node:path';
import { imageSave, SaveError, type ImageStore } from '../../lib/index.js';
import { get } from '../support/client.js';
import { createDeferred } from '../support/deferred.js';
import { start } from '../support/host.js';
import { interceptFsCall } from '../support/intercept-fs.js';
import { MemoryStore } from '../support/memory-store.js';
import { codeOf, refusalOf } from '../support/refusal.js';
import { list } from '../support/temp-dir.js';
import { useSaveFixture } from '../support/use-save-fixture.js';

const { folder } = useSaveFixture();
afterEach(() => {
  jest.restoreAllMocks();
});

const systemError = (code: string): Error => Object.assign(new Error(code), { code });

describe('of a folder', () => {
  test('resolves, and leaves nothing', async () => {
    writeFileSync(join(folder(), 'a.jpg'), 'old');
    await imageSave({ savePath: folder() }).check();
    expect(list(folder())).toEqual(['a.jpg']);
  });

  test('rejects until the folder is there', async () => {
    jest.spyOn(process, 'emitWarning').mockImplementation();
    const savePath = join(folder(), 'later');
    const save = imageSave({ savePath });
    expect(await codeOf(() => save.check())).toBe('save-path-missing');
    writeFileSync(savePath, 'a file');
    expect(await codeOf(() => save.check())).toBe('save-path-missing');
    rmSync(savePath);
    mkdirSync(savePath);
    await save.check();
  });

  test('rejects where saving is disabled', async () => {
    expect(await codeOf(() => imageSave().check())).toBe('saving-disabled');
  });

  test.each([
    ['access', 'EROFS', 'not-writable'],
    ['open', 'EMFILE', 'too-many-open-files'],
    ['writev', 'ENOSPC', 'disk-full'],
    ['writev', 'EIO', 'write-failed'],
    ['fsync', 'EIO', 'write-failed'],
    ['rename', 'ERR_ACCESS_DENIED', 'not-writable'],
    ['unlink', 'EROFS', 'not-writable'],
  ] as const)('rejects where %s fails with %s, with the code %s', async (call, error, code) => {
    interceptFsCall(call, () => Promise.reject(systemError(error)));
    const { code: actual, cause } = await refusalOf(() => imageSave({ savePath: folder() }).check());
    expect([actual, cause]).toEqual([code, systemError(error)]);
    jest.restoreAllMocks();
    if (call !== 'unlink') expect(list(folder())).toEqual([]);
  });

  test('rejects where the file system has no hard links, if overwrite is false', async () => {
    interceptFsCall('link', () => Promise.reject(systemError('EPERM')));
    await imageSave({ savePath: folder() }).check();
    const keeping = imageSave({ savePath: folder(), overwrite: false });
    expect(await codeOf(() => keeping.check())).toBe('no-hard-links');
    expect(list(folder())).toEqual([]);
  });

  test('needs no flush if durable is false, and no temporary folder of the system', async () => {
    interceptFsCall('fsync', () => Promise.reject(systemError('EIO')));
    jest.spyOn(os, 'tmpdir').mockReturnValue(join(folder(), 'nowhere'));
    await imageSave({ savePath: folder(), durable: false }).check();
  });

  test('is made once for all that ask at the same time', async () => {
    const [begun, go] = [createDeferred(), createDeferred()];
    let writes = 0;
    interceptFsCall('writev', async (real) => {
      writes += 1;
      begun.resolve();
      await go.promise;
      return real();
    });
    const save = imageSave({ savePath: folder() });
    const checks = [save.check(), save.check()];
    await begun.promise;
    checks.push(save.check());
    go.resolve();
    await Promise.all(checks);
    expect(writes).toBe(1);
    await save.check();
    expect(writes).toBe(2);
  });
});

describe('of a savePath function', () => {
  const save = imageSave({ savePath: (req) => join(folder(), String(req.headers['x-tenant'])) });

  test('rejects without a request, and names the fix', async () => {
    const { code, cause } = await refusalOf(() => save.check());
    expect(code).toBe('save-path-missing');
    expect(String(cause)).toContain('check(req)');
  });

  test('is made of the folder of the request', async () => {
    mkdirSync(join(folder(), 'acme'));
    const codes: string[] = [];
    const { url } = await start([
      async (req, res) => {
        codes.push(
          await save.check(req).then(
            () => 'ready',
            (error: unknown) => (error as SaveError).code,
          ),
        );
        res.end();
      },
    ]);
    for (const tenant of ['acme', 'globex']) await get(url, { headers: { 'X-Tenant': tenant } });
    expect(codes).toEqual(['ready', 'save-path-missing']);
  });
});

describe('of a store', () => {
  test('resolves where the store has no check', async () => {
    await imageSave({ store: new MemoryStore() }).check();
  });

  test('rejects where large images would find no temporary folder', async () => {
    jest.spyOn(os, 'tmpdir').mockReturnValue(join(folder(), 'nowhere'));
    const { code, cause } = await refusalOf(() => imageSave({ store: new MemoryStore() }).check());
    expect([code, cause]).toMatchObject(['no-temp-folder', { code: 'ENOENT' }]);
    jest.spyOn(os, 'tmpdir').mockReturnValue(folder());
    await imageSave({ store: new MemoryStore() }).check();
    expect(list(folder())).toEqual([]);
  });

  test('is that of the store', async () => {
    const check = jest.fn<Promise<void>, [IncomingMessage?]>(() =>
      Promise.reject(new SaveError('store-unavailable')),
    );
    const store: ImageStore = Object.assign(new MemoryStore(), { check });
    expect(await codeOf(() => imageSave({ store }).check())).toBe('store-unavailable');
    expect(check).toHaveBeenCalledTimes(1);
  });

  test('rejects with internal-error where the store throws something else', async () => {
    const fault = new Error('the bucket is on fire');
    const throwIt = (): never => {
      throw fault;
    };
    const store: ImageStore = Object.assign(new MemoryStore(), { check: throwIt });
    const { code, cause } = await refusalOf(() => imageSave({ store }).check());
    expect([code, cause]).toEqual(['internal-error', fault]);
  });
});
