// The requests for an image: at once and in parts, with Expect, with the host's own fields, in time.
import { randomBytes } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type { S3Client, S3ClientConfig } from '@aws-sdk/client-s3';
import { SaveError } from '../../../../lib/errors.js';
import { s3Store, type S3StoreOptions } from '../../../../lib/s3.js';
import { storeTests } from '../../../../lib/stores/store-tests.js';
import { S3Server } from '../../../support/s3-server.js';
import { saveTo } from '../../../../lib/stores/store-test-harness.js';

const MIB = 1024 ** 2;
let server: S3Server;

beforeEach(async () => {
  server = await S3Server.start();
});
afterEach(() => server.stop());

const storeWith = (options: Partial<S3StoreOptions> = {}): ReturnType<typeof s3Store> =>
  s3Store({ client: server.client(), bucket: 'renders', partSize: 5 * MIB, ...options });

/** The requests that create an object: PutObject, CreateMultipartUpload. */
const creating = (): typeof server.requests =>
  server.requests.filter(({ line }) => /^PUT \S+x-id=PutObject|^POST \S+\?uploads/.test(line));

const tests = storeTests({
  // More than two parts.
  largeImageBytes: 11 * MIB,
  async open() {
    const own = await S3Server.start();
    const prefix = '/renders/saved/';
    return {
      store: s3Store({ client: own.client(), bucket: 'renders', prefix: 'saved/', partSize: 5 * MIB }),
      read: (name) => Promise.resolve(own.objects.get(prefix + name)?.body),
      list: () =>
        Promise.resolve([
          ...[...own.objects.keys()].map((key) => key.slice(prefix.length)),
          ...[...own.uploads.values()].map(({ key }) => `an upload of ${key}`),
        ]),
      close: () => own.stop(),
    };
  },
});
it.each(tests.map(({ name, run }) => [name, run] as const))('the store tests %s', async (_name, run) => {
  await run();
});

const expectOf = async (config: S3ClientConfig, length: number): Promise<string | undefined> => {
  await saveTo(storeWith({ client: server.client(config) }), 'a.png', randomBytes(length));
  return server.requests.find(({ line }) => line.startsWith('PUT'))?.headers.expect;
};

it.each<[string, S3ClientConfig, number, string | undefined]>([
  ['from 2 MiB by default', {}, 2 * MIB, '100-continue'],
  ['for a part of a large image', {}, 6 * MIB, '100-continue'],
  ['not below 2 MiB by default', {}, 2 * MIB - 1, undefined],
  ['never if the client says false', { expectContinueHeader: false }, 3 * MIB, undefined],
  ['never for a part if the client says false', { expectContinueHeader: false }, 6 * MIB, undefined],
  ['always if the client says true', { expectContinueHeader: true }, 1000, '100-continue'],
  ['from the length that the client says', { expectContinueHeader: 1000 }, 1000, '100-continue'],
  ['not below the length that the client says', { expectContinueHeader: 1000 }, 999, undefined],
])('Expect: 100-continue is sent %s', async (_when, config, length, expected) => {
  expect(await expectOf(config, length)).toBe(expected);
});

it.each(['WHEN_SUPPORTED', 'WHEN_REQUIRED'] as const)(
  'checksums are sent as the client says: %s',
  async (when) => {
    const client = server.client({ requestChecksumCalculation: when });
    for (const length of [1000, 6 * MIB]) await saveTo(storeWith({ client }), 'a.png', randomBytes(length));
    const sent = server.requests.flatMap(({ headers }) => Object.keys(headers));
    const checksums = sent.filter((header) => header.startsWith('x-amz-checksum'));
    expect(checksums).toHaveLength(when === 'WHEN_SUPPORTED' ? 4 : 0);
  },
);

describe('lastUpdated', () => {
  it('is the Date of the PutObject response, without another request', async () => {
    const date = 'Tue, 24 Nov 2026 12:00:00 GMT';
    server.intercept = ({ line }) =>
      line.startsWith('PUT') ? { status: 200, headers: { date } } : undefined;
    const { lastUpdated } = await saveTo(storeWith(), 'a.png', randomBytes(1000));
    expect(lastUpdated).toBe(Date.parse(date));
    expect(server.requests.map(({ line }) => line.split(' ')[0])).toEqual(['HEAD', 'PUT']);
  });

  it('is the object’s LastModified if it was sent in parts', async () => {
    const { lastUpdated } = await saveTo(storeWith(), 'a.png', randomBytes(6 * MIB));
    const { headers } = server.objects.get('/renders/a.png')!;
    expect(lastUpdated).toBe(Date.parse(headers['last-modified']!));
  });
});

describe.each([
  ['at once', 1000],
  ['in parts', 6 * MIB],
])('the option object of an image that is sent %s', (_how, length) => {
  const fields = {
    CacheControl: 'max-age=60',
    StorageClass: 'STANDARD_IA',
    Tagging: 'a=b',
    Metadata: { source: 'pim' },
  } as const;
  const ofImage = jest.fn(() => fields);

  it.each([
    ['an object', fields],
    ['a function of the image', ofImage],
  ])('may be %s, and adds its fields and metadata', async (_what, object) => {
    ofImage.mockClear();
    await saveTo(storeWith({ object, prefix: 'saved/' }), 'a.png', randomBytes(length));
    expect(creating().map(({ headers }) => headers)).toEqual([
      expect.objectContaining({
        'cache-control': 'max-age=60',
        'x-amz-storage-class': 'STANDARD_IA',
        'x-amz-tagging': 'a=b',
        'content-type': 'image/png',
        'x-amz-meta-source': 'pim',
        'x-amz-meta-image-width': '30',
        'x-amz-meta-image-height': '20',
      }),
    ]);
    const image = { name: 'a.png', type: 'image/png', width: 30, height: 20 };
    expect(ofImage.mock.calls).toEqual(object === ofImage ? [[image]] : []);
  });

  it('sends a customer key with every request about the object', async () => {
    const object = { SSECustomerAlgorithm: 'AES256', SSECustomerKey: 'k'.repeat(32) };
    await saveTo(storeWith({ object }), 'a.png', randomBytes(length));
    const aboutObject = server.requests.filter(({ line }) => line.includes('a.png'));
    expect(aboutObject.length).toBeGreaterThan(0);
    for (const { headers } of aboutObject)
      expect(headers['x-amz-server-side-encryption-customer-algorithm']).toBe('AES256');
  });
});

it.each<[string, () => unknown, RegExp]>([
  ['nothing', () => undefined, /must be a plain object/],
  ['a promise that rejects', () => Promise.reject(new Error('no settings')), /await a promise first/],
  ['a misspelled field', () => ({ CacheControll: 'x' }), /must not have "CacheControll"/],
])('a function object fails the save with a TypeError if it returns %s', async (_what, object, message) => {
  const saving = saveTo(storeWith({ object: object as () => object }), 'a.png', randomBytes(1000));
  const error: unknown = await saving.catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(TypeError);
  expect((error as TypeError).message).toMatch(message);
  expect(server.objects.size).toBe(0);
});

it('sends an image that must not replace another at once, whatever its length', async () => {
  await saveTo(storeWith(), 'a.png', randomBytes(6 * MIB), { overwrite: false });
  expect(server.objects.has('/renders/a.png')).toBe(true);
  expect(server.requests.filter(({ line }) => line.includes('uploads'))).toEqual([]);
});

describe.each([
  ['at once', 1000, /^PUT/],
  ['in parts', 6 * MIB, /^POST .*uploadId/],
])('the request that publishes an image %s', (_how, length, publishes) => {
  let happened: string[];
  const save = (
    signal = new AbortController().signal,
    onRollback = (): void => undefined,
  ): Promise<unknown> =>
    saveTo(storeWith({ client: server.client({ maxAttempts: 2 }) }), 'a.png', randomBytes(length), {
      signal,
      commit: () => {
        signal.throwIfAborted();
        happened.push('commit');
      },
      rollback: () => {
        happened.push('rollback');
        onRollback();
      },
    });
  /** Gives the first requests that publish these answers. */
  const answer = (...answers: ReturnType<typeof server.intercept>[]): void => {
    server.intercept = ({ line }) => (publishes.test(line) ? answers.shift() : undefined);
  };
  /** S3 may begin its answer before it knows the outcome. (Amazon S3 API Reference, CompleteMultipartUpload.) */
  const lateRefusal = { status: 200, body: '<Error><Code>SlowDown</Code></Error>' };

  beforeEach(() => {
    happened = [];
  });

  it.each([503, lateRefusal])('takes commit back after a definite refusal: %j', async (by) => {
    answer(by);
    await save();
    expect(happened).toEqual(['commit', 'rollback', 'commit']);
    expect(server.objects.has('/renders/a.png')).toBe(true);
  });

  it('can be aborted after that, and is not sent again', async () => {
    answer(503);
    const abort = new AbortController();
    const late = new SaveError('timeout');
    const saving = save(abort.signal, () => {
      abort.abort(late);
    });
    await expect(saving).rejects.toBe(late);
    expect(happened).toEqual(['commit', 'rollback']);
    expect([server.objects.size, server.uploads.size]).toEqual([0, 0]);
  });

  it('takes nothing back while an earlier attempt may have been published', async () => {
    answer(502, 503);
    await expect(save()).rejects.toMatchObject({ code: 'store-no-response' });
    expect(happened).toEqual(['commit', 'commit']);
  });

  it('takes nothing back after an answer without its end', async () => {
    // The client takes an empty answer to the end of an upload for an error of the store.
    answer(length < MIB ? 504 : { status: 200 });
    await save();
    expect(happened).toEqual(['commit', 'commit']);
  });
});

describe('a request that fails or is aborted', () => {
  const unhandled: unknown[] = [];
  const note = (error: unknown): void => void unhandled.push(error);
  beforeAll(() => process.on('unhandledRejection', note));
  afterAll(() => process.off('unhandledRejection', note));

  it.each(
    ['HeadBucket', 'CreateMultipartUpload', 'UploadPart', 'CompleteMultipartUpload', 'PutObject'].flatMap(
      (step) => [
        [step, false],
        [step, true],
      ],
    ) as [string, boolean][],
  )('rejects the save and no other promise: %s, aborted: %s', async (step, aborts) => {
    const abort = new AbortController();
    let failsFromHere = false;
    const send = async (command: object): Promise<object> => {
      failsFromHere ||= command.constructor.name === `${step}Command`;
      if (!failsFromHere) return Promise.resolve({ UploadId: '1', ETag: 'e' });
      if (aborts) abort.abort(new Error('aborted'));
      throw new Error('failed');
    };
    const failing = { config: {}, send } as unknown as S3Client;
    const store = s3Store({ client: failing, bucket: 'b', partSize: 5 * 1024 ** 2 });
    const image = Buffer.alloc(step === 'PutObject' ? 1000 : 11 * 1024 ** 2);
    await expect(saveTo(store, 'a.png', image, { signal: abort.signal })).rejects.toThrow();
    // Node reports a rejection without a handler after the microtasks.
    await setImmediate();
    expect(unhandled).toEqual([]);
  });
});

it.each([
  [true, 'write-failed'],
  [false, 'file-exists'],
])('a conflict over a name that is there, overwrite %s, is %s', async (overwrite, code) => {
  server.intercept = ({ line }) => {
    if (!line.startsWith('PUT')) return undefined;
    server.objects.set('/renders/a.png', { body: Buffer.alloc(1), headers: {} });
    return 409;
  };
  await expect(saveTo(storeWith(), 'a.png', Buffer.alloc(9), { overwrite })).rejects.toMatchObject({ code });
});

it('refuses a name that is too long for a key', async () => {
  const store = storeWith({ prefix: 'p/'.repeat(100) });
  const name = Array.from({ length: 9 }, () => 'x'.repeat(100)).join('/');
  await expect(saveTo(store, name, Buffer.alloc(1))).rejects.toMatchObject({ code: 'name-invalid' });
});
