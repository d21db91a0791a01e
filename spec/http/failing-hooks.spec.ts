// Whatever a store, a hook or a renderer throws or returns, the client gets a reply and the process goes on.
import { join } from 'node:path';
import { imageSave, saveOf, type ImageSaveOptions, type ImageStore, type TempFile } from '../../lib/index.js';
import { temporaryName } from '../../lib/temp-files/stale-files.js';
import { DiskTempFile } from '../../lib/temp-files/temp-file.js';
import { get } from '../support/client.js';
import { hostileErrors } from '../support/hostile-errors.js';
import { start, type Handler } from '../support/host.js';
import { useManualDeadline } from '../support/manual-timer.js';
import { MemoryStore } from '../support/memory-store.js';
import { noise } from '../support/images.js';
import { useSaveFixture } from '../support/use-save-fixture.js';

// More than is kept in memory, so that the store's temporary file is used.
const { image, folder } = useSaveFixture(() => noise(900, 600).png().toBuffer());

const failed = new Error('It failed');
const later = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));

/** How a function can misbehave. */
const FAILURES: Record<string, () => unknown> = {
  throws: () => {
    throw failed;
  },
  rejects: () => Promise.reject(failed),
  'rejects after the reply': async () => {
    await later(400);
    throw failed;
  },
  'returns nothing': () => undefined,
  'returns garbage': () => ({ then: 5, publish: 'no', write: null }),
  'resolves to garbage': () => Promise.resolve(7),
  'never settles': () => new Promise(() => undefined),
  ...Object.fromEntries(
    hostileErrors().map(([what, error]) => [
      `throws ${what}`,
      () => {
        throw error;
      },
    ]),
  ),
};

/** A working store, except that the named method is replaced by `failure`. */
function storeWith(method: string, failure: () => unknown): ImageStore {
  const store = new MemoryStore();
  const createTempFile = (): TempFile => {
    const file = new DiskTempFile(join(folder(), temporaryName(60_000)), 0o600);
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
});
afterEach(() => {
  jest.restoreAllMocks();
});

async function expectOneReply(
  options: ImageSaveOptions,
  renderer: Handler,
  wait = 0,
  host = 'Express 5',
): Promise<void> {
  let records = 0;
  const { onSave = () => undefined } = options;
  const counted = (...args: Parameters<typeof onSave>): void | Promise<void> => {
    records++;
    return onSave(...args);
  };
  const { url } = await start(
    [imageSave({ timeout: 300, maxTimeout: 300, ...options, onSave: counted }), renderer],
    host,
  );
  const { reply } = await get(`${url}/x?req=saveToFile&name=x.png`);
  expect(['done', 'failed', 'timeout']).toContain(reply.status);
  await later(wait);
  expect(records).toBe(1);
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
      await expectOneReply(HOOKS[hook]!(FAILURES[failure]!), send, failure.includes('after') ? 500 : 20);
    },
  );
});

describe('a renderer', () => {
  test.each(Object.keys(FAILURES))(
    'sends one reply and leaves no error in the process when it %s',
    async (failure) => {
      await expectOneReply(
        { store: new MemoryStore() },
        () => FAILURES[failure]!(),
        failure.includes('after') ? 500 : 20,
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

test('stops waiting at maxTimeout for a store that has committed and never settles', async () => {
  const patience = useManualDeadline();
  const store = storeWith('publish after commit', () => {
    setTimeout(() => {
      patience.expire();
    }, 5);
    return new Promise(() => undefined);
  });
  const { url } = await start([imageSave({ store }), send]);
  expect((await get(`${url}/x?req=saveToFile&name=x.png`)).reply.error?.code).toBe('store-no-response');
});
