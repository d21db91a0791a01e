// The options of s3Store, and the error codes for errors of the client.
import { setImmediate } from 'node:timers/promises';
import { S3Client } from '@aws-sdk/client-s3';
import { SaveError } from '../../../../lib/errors.js';
import { concernsBucket, storeError } from '../../../../lib/stores/s3/s3-bucket.js';
import { s3Store, type S3StoreOptions } from '../../../../lib/s3.js';
import { saveTo } from '../../../../lib/stores/store-test-harness.js';

const client = new S3Client({ region: 'us-east-1' });
/** The options that a store needs. */
const needed = { client, bucket: 'b' };

describe('the options', () => {
  it('require only a client and a bucket', () => {
    expect(() => s3Store(needed)).not.toThrow();
  });

  it('may have an object without a prototype, or a function, as object', () => {
    const bare = Object.assign(Object.create(null) as object, { CacheControl: 'no-cache' });
    expect(() => s3Store({ ...needed, object: bare })).not.toThrow();
    expect(() => s3Store({ ...needed, object: () => bare })).not.toThrow();
  });

  const factory = "s3Store takes an object of options, as in s3Store({ client, bucket: 'renders' })";

  it.each<[unknown, string]>([
    [undefined, factory],
    [null, factory],
    [{ bucket: 'b' }, 'The option "client" of s3Store must be an S3Client, as in new S3Client({ region })'],
    [{ ...needed, client: null }, 'The option "client" of s3Store must be an S3Client'],
    [{ client }, 'The option "bucket" of s3Store must be the name of a bucket'],
    [{ client, bucket: '' }, 'The option "bucket" of s3Store must be the name of a bucket'],
    [{ ...needed, prefix: '/saved/' }, 'The option "prefix" of s3Store must be'],
    [{ ...needed, partSize: 1000 }, 'must be whole bytes from 5 MiB to 5 GiB'],
    [{ ...needed, partSize: 6e6 + 0.5 }, 'must be whole bytes from 5 MiB to 5 GiB'],
    [{ ...needed, answerTimeout: 0 }, 'must be whole milliseconds from 1 to 2147483647'],
    [
      { ...needed, prefx: 'a/' },
      's3Store has no option "prefx"; its options are client, bucket, prefix, partSize, answerTimeout, object',
    ],
  ])('cause a TypeError that names the fix, row %#', (options, message) => {
    expect(() => s3Store(options as S3StoreOptions)).toThrow(TypeError);
    expect(() => s3Store(options as S3StoreOptions)).toThrow(message);
  });

  it.each<[string, unknown, string]>([
    ['a string', 'x', 'must be a plain object such as'],
    ['an array', [], 'must be a plain object such as'],
    ['a Map', new Map([['ACL', 'private']]), 'must be a plain object'],
    ['an object of a class', new URL('http://x'), 'must be a plain object'],
    ['a promise', Promise.resolve({}), 'await a promise first'],
    ['a misspelled field', { cacheControl: 'x' }, 'must not have "cacheControl"; it can have ACL,'],
    ...['Bucket', 'Key', 'Body', 'ContentType', 'ContentLength', 'IfNoneMatch', 'ChecksumSHA256'].map(
      (name): [string, unknown, string] => [name, { [name]: 'x' }, `must not have "${name}"`],
    ),
    ['own metadata', { Metadata: { 'Image-Width': '1' } }, 'must not set Metadata["Image-Width"]: the store'],
    [
      'a Map as metadata',
      { Metadata: new Map([['a', 'b']]) },
      'must have a plain object of strings as Metadata',
    ],
    ['a number as metadata', { Metadata: { a: 1 } }, 'must have a string as Metadata["a"]'],
  ])('refuse %s as object or in it', (_, object, message) => {
    expect(() => s3Store({ ...needed, object: object as object })).toThrow(TypeError);
    expect(() => s3Store({ ...needed, object: object as object })).toThrow(message);
  });
});

it('refuses a promise that rejects as object, and leaves no error in the process', async () => {
  const object = Promise.reject(new Error('no settings'));
  expect(() => s3Store({ ...needed, object } as unknown as S3StoreOptions)).toThrow('await a promise first');
  // Jest fails this test for a rejection without a handler, which Node reports after the microtasks.
  await setImmediate();
});

/** An error as the client throws it. */
function thrown(name: string, httpStatusCode?: number): Error {
  return Object.assign(new Error('bucket renders at 10.0.0.1'), { name, $metadata: { httpStatusCode } });
}

describe('an error', () => {
  it.each([
    ['NoSuchBucket', 404, 'store-missing'],
    ['PermanentRedirect', 301, 'store-missing'],
    ['AccessDenied', 403, 'store-denied'],
    ['SignatureDoesNotMatch', 403, 'store-denied'],
    ['ExpiredToken', 400, 'store-denied'],
    ['CredentialsProviderError', undefined, 'store-denied'],
    ['Unauthorized', 401, 'store-denied'],
    ['QuotaExceeded', 403, 'disk-full'],
    ['InsufficientStorage', 507, 'disk-full'],
    ['KeyTooLongError', 400, 'name-invalid'],
    ['PreconditionFailed', 412, 'file-exists'],
    ['ConditionalRequestConflict', 409, 'store-unavailable'],
    ['SlowDown', 503, 'store-unavailable'],
    ['InternalError', 500, 'store-unavailable'],
    ['TooManyRequests', 429, 'store-unavailable'],
    ['TimeoutError', undefined, 'store-unavailable'],
    ['Error', undefined, 'store-unavailable'],
    ['EntityTooLarge', 400, 'write-failed'],
  ])('such as %s (%s) gets the code %s', (name, status, code) => {
    const cause = thrown(name, status);
    const error = storeError(cause);
    expect(error).toMatchObject({ name: 'SaveError', code, cause });
    expect(error.message).not.toMatch(/renders|10\.0/);
  });

  it('is passed on unchanged if it is a SaveError', () => {
    const error = new SaveError('timeout', 'Too late.');
    expect(storeError(error)).toBe(error);
  });

  it.each([
    ['NoSuchBucket', 404, true],
    ['InvalidAccessKeyId', 403, true],
    // Another object may still be allowed.
    ['AccessDenied', 403, false],
    ['SlowDown', 503, false],
  ])('such as %s (%s) concerns every object of the bucket: %s', (name, status, all) => {
    expect(concernsBucket(storeError(thrown(name, status)))).toBe(all);
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

it('refuses a name that is too long for a key', async () => {
  const store = s3Store({ client, bucket: 'renders', prefix: 'p/'.repeat(100) });
  const name = Array.from({ length: 9 }, () => 'x'.repeat(100)).join('/');
  await expect(saveTo(store, name, Buffer.alloc(1))).rejects.toMatchObject({ code: 'name-invalid' });
});
