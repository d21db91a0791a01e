// The middleware with a store of the host's own: when it calls the store, and what it does with the results.
import { mkdirSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
// The default export is the module itself, so that its functions can be spied on.
import os from 'node:os';
import { dirname, join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import {
  SaveError,
  saveOf,
  type ImageSaveOptions,
  type ImageStore,
  type SaveTarget,
  type PrepareOptions,
  type PublishResult,
  type TempFile,
  type InspectedImage,
} from '../../lib/index.js';
import { DiskTempFile } from '../../lib/temp-files/temp-file.js';
import type { Answer } from '../support/client.js';
import { useManualDeadline, LONG } from '../support/manual-timer.js';
import { list, makeTempDir } from '../support/temp-dir.js';
import type { Handler, Running } from '../support/host.js';
import { png } from '../support/images.js';
import { createDeferred, eventually } from '../support/deferred.js';
import { SAVE, useSaveFixture } from '../support/use-save-fixture.js';

/** A time that only the store's clock can show. */
const TIME = 1_234_567_890_123;

/** A store in memory that records its calls. A test changes what it does. */
class RecordingStore implements ImageStore {
  readonly images = new Map<string, Buffer>();
  readonly prepared: [string, PrepareOptions][] = [];
  readonly published: InspectedImage[] = [];
  /** The calls in order. The tests add calls of the renderer. */
  readonly calls: string[] = [];
  /** Called before `prepare` resolves. */
  onPrepare: (options: PrepareOptions) => unknown = () => undefined;
  /** Called before commit. */
  onPublish: (image: InspectedImage) => unknown = () => undefined;
  /** Called after commit. */
  onCommit: () => unknown = () => undefined;
  onClose: () => unknown = () => undefined;
  warning: unknown;
  tempFile: TempFile | undefined;

  async prepare(name: string, options: PrepareOptions): Promise<SaveTarget> {
    this.prepared.push([name, options]);
    this.calls.push('prepare');
    await this.onPrepare(options);
    return {
      ...(this.tempFile && { tempFile: this.tempFile }),
      publish: (image, { commit }) =>
        this.#publish(name, image, commit).finally(() => this.calls.push('publish settled')),
      close: async () => {
        this.calls.push('close');
        await this.onClose();
      },
    };
  }

  async #publish(name: string, image: InspectedImage, commit: () => void): Promise<PublishResult> {
    this.calls.push('publish');
    this.published.push(image);
    const bytes = await image.bytes.buffer();
    await this.onPublish(image);
    commit();
    await this.onCommit();
    this.images.set(name, bytes);
    return { lastUpdated: TIME, warning: this.warning };
  }
}

/** A store without `close` that publishes nothing. */
const returning = (lastUpdated: number): ImageStore => ({
  prepare: () => Promise.resolve({ publish: () => Promise.resolve({ lastUpdated }) }),
});

const { image: small, records, recorded, serve: serveFixture, save: saveFixture } = useSaveFixture();
/** More than is kept in memory. */
let large: Buffer;
let store: RecordingStore;

beforeAll(async () => {
  large = await png(800, 800);
});
beforeEach(() => {
  store = new RecordingStore();
});
afterEach(() => {
  jest.restoreAllMocks();
});

/** The calls of a save that gets as far as `publish`. */
const PUBLISHED = ['prepare', 'render', 'publish', 'publish settled', 'close'];

/** Sends an image as most renderers do: in one piece. */
const whole: Handler = (_req, res) => res.end(small());
/** Sends a large image in pieces. */
const pieces =
  (image: () => Buffer): Handler =>
  (_req, res) => {
    for (let at = 0; at < image().length; at += 100_000) res.write(image().subarray(at, at + 100_000));
    res.end();
  };

/** Notes that a renderer is called. */
const noting =
  (renderer: Handler): Handler =>
  (req, res, next) => {
    store.calls.push('render');
    return renderer(req, res, next);
  };

const serve = (renderer = whole): Promise<Running> => serveFixture(noting(renderer), { store });

async function save(renderer = whole, options: ImageSaveOptions = {}, path = SAVE): Promise<Answer> {
  const answer = await saveFixture(noting(renderer), { store, ...options }, path);
  await recorded();
  return answer;
}

/** Sends the command on a connection that the test can close. */
function sendTo({ port }: Running): Socket {
  const client = connect(port, '127.0.0.1', () => {
    client.write(`GET ${SAVE} HTTP/1.1\r\nHost: a\r\n\r\n`);
  });
  return client;
}

describe('a store', () => {
  it('receives the image and what is known of it, and the reply carries its modification time', async () => {
    const answer = await save();
    expect(answer.status).toBe(200);
    expect(answer.reply).toMatchObject({ status: 'done', name: 'x.jpg', lastUpdated: TIME });
    expect(store.images.get('x.jpg')?.equals(small())).toBe(true);
    expect(records).toMatchObject([
      { outcome: 'done', code: undefined, bytes: small().length, cause: undefined },
    ]);
    expect(store.calls).toEqual(PUBLISHED);
    const { bytes, ...facts } = store.published[0]!;
    const size = { width: 320, height: 200, pages: 1, pixels: 64_000 };
    expect(facts).toEqual({ format: 'jpeg', type: 'image/jpeg', ...size });
    expect(bytes).toHaveLength(small().length);
  });

  it.each([
    [true, false],
    [false, true],
  ])('receives the options of the save (overwrite: %s, durable: %s)', async (overwrite, durable) => {
    let asking: IncomingMessage | undefined;
    const renderer: Handler = (req, res) => {
      asking = req;
      res.end(small());
    };
    await save(renderer, { overwrite, durable }, '/x?req=saveToFile&name=shoes/red/x.jpg');
    const [[name, options]] = store.prepared as [[string, PrepareOptions]];
    expect(name).toBe('shoes/red/x.jpg');
    expect(options).toMatchObject({ overwrite, durable, signal: { aborted: false } });
    expect(options.req).toBe(asking);
    expect(options.signal).toBeInstanceOf(AbortSignal);
  });

  it('is not called for a refused command, nor for a request without one', async () => {
    expect((await save(whole, { authorize: () => false })).reply.error?.code).toBe('not-authorized');
    expect(store.calls).toEqual([]);
    await saveFixture(noting(whole), { store }, '/x');
    expect(store.calls).toEqual(['render']);
  });

  it('may omit close', async () => {
    const warned = jest.spyOn(process, 'emitWarning').mockImplementation();
    const answer = await save(whole, { store: returning(TIME) });
    expect(answer.reply).toMatchObject({ status: 'done', lastUpdated: TIME });
    expect(warned).not.toHaveBeenCalled();
  });
});

describe('the values of a store in the reply', () => {
  it.each([
    [1_700_000_000_000.7, 1_700_000_000_000, undefined],
    [1e300, expect.any(Number) as number, expect.any(TypeError) as Error],
    [NaN, expect.any(Number) as number, expect.any(TypeError) as Error],
  ])('lastUpdated: %p becomes a whole number', async (lastUpdated, replied, warning) => {
    const answer = await save(whole, { store: returning(lastUpdated) });
    expect(answer.reply).toMatchObject({ status: 'done', lastUpdated: replied });
    expect(answer.body.toString()).toMatch(/^lastUpdated=\d+$/m);
    expect(records[0]?.warning).toEqual(warning);
  });

  it.each<[unknown, string]>([
    [1.5, '2'],
    [-1, '1'],
    [NaN, '1'],
    [Infinity, '1'],
    ['a\r\nb', '1'],
    [undefined, '1'],
  ])('retryAfter: %p becomes a Retry-After of %s', async (retryAfter, header) => {
    store.onPrepare = () => {
      throw new SaveError('too-busy', { retryAfter: retryAfter as number });
    };
    expect((await save()).headers['retry-after']).toBe(header);
  });

  it('a retryAfter gives no header to another code than too-busy', async () => {
    store.onPrepare = () => {
      throw new SaveError('disk-full', { retryAfter: 3 });
    };
    expect((await save()).headers).not.toHaveProperty('retry-after');
  });
});

/** Where a store may fail, and all calls until then and after. */
const STEPS = [
  ['onPrepare', ['prepare']],
  ['onPublish', PUBLISHED],
  ['onCommit', PUBLISHED],
] as const;

describe('an error of the store', () => {
  const fault = new Error('the bucket /secret is on fire');
  const refusal = new SaveError('file-exists', 'Choose another name.', 'taken');
  const rows = STEPS.flatMap(([step, calls]) =>
    [refusal, fault].map((error) => ({ step, calls, error, kind: error.constructor.name })),
  );

  it.each(rows)('of $kind in $step is the reason of a refusal', async ({ step, calls, error }) => {
    store[step] = () => {
      throw error;
    };
    const { status, reply, body } = await save();
    const [code, cause] = error === refusal ? ['file-exists', 'taken'] : ['internal-error', fault];
    expect([status, reply.status, reply.error?.code]).toEqual([403, 'failed', code]);
    if (error === refusal) expect(reply.error?.message).toBe('Choose another name.');
    expect(body.toString()).not.toContain('secret');
    expect(records).toMatchObject([{ outcome: 'failed', code }]);
    expect(records[0]?.cause).toBe(cause);
    expect([store.calls, store.images.size]).toEqual([calls, 0]);
  });

  it('after publishing still leads to a done reply, with the warning in the record', async () => {
    store.warning = new Error('the replica is behind');
    const { status, reply } = await save();
    expect([status, reply.status]).toEqual([200, 'done']);
    expect(records).toMatchObject([{ outcome: 'done', code: undefined, cause: undefined }]);
    expect(records[0]?.warning).toBe(store.warning);
  });

  const fail = (): never => {
    throw new Error('not closed');
  };
  it.each([
    ['rejecting', () => Promise.reject(new Error('not closed'))],
    ['throwing', fail],
  ])('in close, by %s, causes a process warning', async (_how, close) => {
    const warned = jest.spyOn(process, 'emitWarning').mockImplementation();
    const failing: ImageStore = {
      prepare: async (name, options) => ({ ...(await store.prepare(name, options)), close }),
    };
    const answer = await save(whole, { store: failing });
    expect(answer.reply).toMatchObject({ status: 'done', lastUpdated: TIME });
    expect(records).toMatchObject([{ outcome: 'done' }]);
    expect(warned).toHaveBeenCalledTimes(1);
    expect(warned.mock.calls[0]?.[0]).toContain('not closed');
  });
});

describe('a target', () => {
  it.each<[string, Handler]>([
    ['the renderer has no image', (_req, res) => res.writeHead(404).end('none')],
    ['the bytes are no image', (_req, res) => res.end('not an image')],
    ['the image is cut', (_req, res) => res.end(small().subarray(0, -1))],
    ['the extension is wrong', (_req, res) => res.end(large)],
    [
      'the renderer throws',
      () => {
        throw new Error('out of paint');
      },
    ],
  ])('is closed once, without publish, if %s', async (_what, renderer) => {
    jest.spyOn(console, 'error').mockImplementation();
    expect((await save(renderer)).reply.status).toBe('failed');
    expect(store.calls).toEqual(['prepare', 'render', 'close']);
  });

  it.each([
    ['during rendering', 'render', false, ['prepare', 'render', 'close']],
    ['as prepare resolves', 'onPrepare', false, ['prepare', 'close']],
    ['before prepare resolves', 'onPrepare', true, ['prepare', 'close']],
    ['before publish settles, so that commit throws', 'onPublish', true, PUBLISHED],
  ] as const)('is closed once if the deadline passes %s', async (_when, moment, settlesLate, calls) => {
    const deadline = useManualDeadline();
    const [goesOn, closed] = [createDeferred(), createDeferred()];
    const expire = (): unknown => {
      deadline.expire();
      return settlesLate ? goesOn.promise : undefined;
    };
    if (moment !== 'render') store[moment] = expire;
    store.onClose = closed.resolve;
    const answer = await save(moment === 'render' ? () => void expire() : whole, LONG);
    expect(answer.reply).toMatchObject({ status: 'timeout', error: { code: 'timeout' } });
    if (settlesLate) expect(store.calls).not.toContain('close');
    goesOn.resolve();
    await closed.promise;
    await setImmediate();
    expect(store.calls).toEqual(calls);
    expect(store.images.size).toBe(0);
    expect((store.prepared[0]?.[1].signal.reason as SaveError).code).toBe('timeout');
  });

  it('is closed once if the client disconnects during rendering', async () => {
    const client = sendTo(await serve(() => client.destroy()));
    await recorded();
    expect(records).toMatchObject([{ outcome: 'failed', code: 'client-disconnected' }]);
    expect(store.calls).toEqual(['prepare', 'render', 'close']);
    expect((store.prepared[0]?.[1].signal.reason as SaveError).code).toBe('client-disconnected');
  });

  it('is published whatever the deadline says after commit', async () => {
    const deadline = useManualDeadline();
    store.onCommit = deadline.expire;
    expect((await save(whole, LONG)).reply.status).toBe('done');
    expect(store.prepared[0]?.[1].signal.aborted).toBe(false);
  });
});

describe('an image that is too large for memory', () => {
  let temporary: string;
  const NAMED_PNG = '/x?req=saveToFile&name=x.png';
  const sendLarge = pieces(() => large);

  beforeEach(() => {
    temporary = join(makeTempDir(), 'tmp');
    mkdirSync(temporary);
    jest.spyOn(os, 'tmpdir').mockReturnValue(temporary);
    expect(large.length).toBeGreaterThan(1024 * 1024);
  });

  it('waits in a private file, which is removed', async () => {
    let there: string[] = [];
    store.onPublish = ({ bytes }) => {
      there = [...list(temporary), dirname((bytes as TempFile).path)];
    };
    const answer = await saveFixture(sendLarge, { store }, NAMED_PNG);
    await eventually(() => list(temporary).length === 0);
    expect(answer.reply).toMatchObject({ status: 'done', lastUpdated: TIME });
    expect(there).toEqual([expect.stringMatching(/^\.image-save-1200000-[0-9a-f]{32}\.tmp$/), temporary]);
    expect(store.images.get('x.png')?.equals(large)).toBe(true);
  });

  it.each<[string, Handler]>([
    ['refused', pieces(() => large.subarray(0, -1))],
    ['broken off', (_req, res) => res.write(large, () => res.destroy())],
    ['given to a store that fails', sendLarge],
  ])('leaves nothing if it is %s', async (_what, renderer) => {
    store.onPublish = () => {
      throw new Error('no connection');
    };
    expect((await save(renderer, {}, NAMED_PNG)).reply.status).toBe('failed');
    await eventually(() => store.calls.at(-1) === 'close' && list(temporary).length === 0);
  });

  // Collecting the body goes on for some steps after the save has failed, and may still create the file.
  it.each([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])(
    'leaves nothing if it is refused %i steps after its first byte',
    async (steps) => {
      const renderer: Handler = async (_req, res) => {
        res.write(large);
        for (let step = 0; step < steps; step += 1) await Promise.resolve();
        saveOf(res)?.refuse();
      };
      const answer = await save(renderer, {}, NAMED_PNG);
      expect(answer.reply.error?.code).toBe('renderer-refused');
      await eventually(() => list(temporary).length === 0);
    },
  );

  it('waits in the temporary file of the target, which is discarded', async () => {
    const own = join(temporary, '..', 'own');
    mkdirSync(own);
    const tempFile = new DiskTempFile(join(own, 'image'), 0o600);
    store.tempFile = tempFile;
    let path: string | undefined;
    store.onPublish = ({ bytes }) => {
      path = (bytes as TempFile).path;
      expect([list(own), list(temporary)]).toEqual([['image'], []]);
    };
    const { reply } = await saveFixture(sendLarge, { store }, NAMED_PNG);
    expect(reply.status).toBe('done');
    expect(path).toBe(tempFile.path);
    await eventually(() => list(own).length + list(temporary).length === 0);
    expect(store.images.get('x.png')?.equals(large)).toBe(true);
  });
});
