// Whatever a store, a hook or a renderer throws or returns, the client gets a reply and the process goes on.
import { join } from 'node:path';
import { setImmediate as turn, setTimeout } from 'node:timers/promises';
import { imageSave, saveOf, type ImageSaveOptions, type ImageStore, type TempFile } from '../../lib/index.js';
import { temporaryName } from '../../lib/temp-files/stale-files.js';
import { DiskTempFile } from '../../lib/temp-files/temp-file.js';
import { get } from '../support/client.js';
import { hostileErrors } from '../support/hostile-errors.js';
import { start, type Handler } from '../support/host.js';
import { createDeferred, type Deferred } from '../support/deferred.js';
import { LONG, useManualDeadline } from '../support/manual-timer.js';
import { MemoryStore } from '../support/memory-store.js';
import { jpeg } from '../support/images.js';
import { SAVE, useSaveFixture } from '../support/use-save-fixture.js';

// More than is kept in memory, so that the store's temporary file is used.
const { image, folder } = useSaveFixture(async () => Buffer.concat([await jpeg(), Buffer.alloc(1_200_000)]));

const failed = new Error('It failed');
let deadline: { expire(): void };
let replied: Deferred;

/** Lets the deadline, the store's limit after commit and that of onPublished pass, once the called function returned. */
const expireSoon = (): void =>
  void setImmediate(() => {
    for (let limits = 0; limits < 3; limits++) deadline.expire();
  });

/** How a function can misbehave. */
const FAILURES: Record<string, () => unknown> = {
  throws: () => {
    throw failed;
  },
  rejects: () => Promise.reject(failed),
  'rejects after the reply': async () => {
    expireSoon();
    await replied.promise;
    throw failed;
  },
  'returns nothing': () => undefined,
  'returns garbage': () => ({ then: 5, publish: 'no', write: null }),
  'resolves to garbage': () => Promise.resolve(7),
  'never settles': () => {
    expireSoon();
    return new Promise(() => undefined);
  },
  ...Object.fromEntries(
    hostileErrors().map(([what, error]) => [
      `throws ${what}`,
      () => {
        throw error;
      },
    ]),
  ),
};

/** A discard that fails leaves its file open, and Windows keeps a folder whose files are open. */
const files: DiskTempFile[] = [];
afterEach(() => Promise.all(files.splice(0).map((file) => DiskTempFile.prototype.discard.call(file))));

/** A working store, except that the named method is replaced by `failure`. */
function storeWith(method: string, failure: () => unknown): ImageStore {
  const store = new MemoryStore();
  const createTempFile = (): TempFile => {
    const file = new DiskTempFile(join(folder(), temporaryName(60_000)), 0o600);
    files.push(file);
    return method in file ? Object.assign(file, { [method]: failure }) : file;
  };
  return {
    prepare: async (name, options) => {
      if (method === 'prepare') return failure() as never;
      const target = await store.prepare(name, options);
      const whole = { ...target, tempFile: createTempFile(), close: () => Promise.resolve() };
      if (method === 'publish' || method === 'close') Object.assign(whole, { [method]: failure });
      if (method === 'publish after commit') {
        whole.publish = (_image, { commit }) => {
          commit();
          return failure() as never;
        };
      }
      return whole;
    },
  };
}

const HOOKS: Record<string, (failure: () => unknown) => ImageSaveOptions> = {
  authorize: (failure) => ({ store: new MemoryStore(), authorize: failure as never }),
  savePath: (failure) => ({ savePath: failure as never }),
  onPublished: (failure) => ({ store: new MemoryStore(), onPublished: failure as never }),
  publicUrl: (failure) => ({ store: new MemoryStore(), publicUrl: failure as never }),
  onSave: (failure) => ({ store: new MemoryStore(), onSave: failure as never }),
  ...Object.fromEntries(
    ['prepare', 'publish', 'publish after commit', 'close', 'write', 'read', 'discard'].map((method) => [
      `a store's ${method}`,
      (failure: () => unknown) => ({ store: storeWith(method, failure) }),
    ]),
  ),
};

const uncaught: unknown[] = [];
const note = (error: unknown): void => void uncaught.push(error ?? 'nothing');
beforeAll(() => process.on('unhandledRejection', note).on('uncaughtException', note));
afterAll(() => process.off('unhandledRejection', note).off('uncaughtException', note));
beforeEach(() => {
  uncaught.length = 0;
  jest.spyOn(process, 'emitWarning').mockImplementation();
  deadline = useManualDeadline();
  replied = createDeferred();
});
afterEach(() => {
  jest.restoreAllMocks();
});

async function expectOneReply(
  options: ImageSaveOptions,
  renderer: Handler,
  host = 'Express 5',
): Promise<void> {
  const onSave = jest.fn(options.onSave);
  const middleware = imageSave({ ...LONG, ...options, onSave });
  const { url } = await start([middleware, renderer], host);
  const { reply } = await get(url + SAVE);
  expect(['done', 'failed', 'timeout']).toContain(reply.status);
  replied.resolve();
  // A hook that never settles keeps it from being idle.
  await Promise.race([middleware.idle(), setTimeout(20)]);
  // Node reports a rejection without a handler after the microtasks.
  await turn();
  expect(onSave).toHaveBeenCalledTimes(1);
  expect(uncaught).toEqual([]);
}

const send: Handler = (_req, res) => {
  for (let at = 0; at < image().length; at += 100_000) res.write(image().subarray(at, at + 100_000));
  res.end();
};

describe.each(Object.keys(HOOKS))('%s', (hook) => {
  test.each(Object.keys(FAILURES))(
    'sends one reply and leaves no error in the process when it %s',
    async (failure) => {
      await expectOneReply(HOOKS[hook]!(FAILURES[failure]!), send);
    },
  );
});

describe('a renderer', () => {
  test.each(Object.keys(FAILURES))(
    'sends one reply and leaves no error in the process when it %s',
    async (failure) => {
      await expectOneReply(
        { store: new MemoryStore() },
        () => {
          // Most of them never end the response.
          expireSoon();
          return FAILURES[failure]!();
        },
        // Express's own error handler fails at some of these errors.
        'http.createServer',
      );
    },
  );

  test.each(hostileErrors())(
    'sends one reply when it refuses its image because of %s',
    async (_what, reason) => {
      await expectOneReply({ store: new MemoryStore() }, (_req, res) => {
        saveOf(res)?.refuse(reason as string);
        res.end();
      });
    },
  );
});

test.each(['throws', 'rejects'])('warns of an onSave that %s', async (failure) => {
  const warned = jest.spyOn(process, 'emitWarning');
  await expectOneReply(HOOKS['onSave']!(FAILURES[failure]!), send);
  expect(warned.mock.calls.flat().map(String).join()).toContain(failed.message);
});

test('stops waiting at maxTimeout for a store that has committed and never settles', async () => {
  const store = storeWith('publish after commit', FAILURES['never settles']!);
  const { url } = await start([imageSave({ store }), send]);
  expect((await get(url + SAVE)).reply.error?.code).toBe('store-no-response');
});
