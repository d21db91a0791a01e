// The check of the bucket: one request while all is well, and a new one after any failure. The codes of its errors.
import { randomBytes } from 'node:crypto';
import type { S3ClientConfig } from '@aws-sdk/client-s3';
import { SaveError } from '../../../../lib/errors.js';
import { s3Store } from '../../../../lib/s3.js';
import { concernsBucket, storeError } from '../../../../lib/stores/s3/s3-bucket.js';
import { S3Server } from '../../../support/s3-server.js';
import { saveTo } from '../../../../lib/stores/store-test-harness.js';
import { codeOf } from '../../../support/refusal.js';
import type { ImageStore } from '../../../../lib/stores/types.js';

let server: S3Server;
let store: ImageStore;

beforeEach(async () => {
  server = await S3Server.start();
  store = s3Store({ client: server.client(), bucket: 'renders' });
});
afterEach(async () => {
  jest.restoreAllMocks();
  await server.stop();
});

const image = randomBytes(1000);
const isHeadBucket = ({ line }: { readonly line: string }): boolean => /^HEAD \/renders\/?$/.test(line);
const countHeadBucket = (): number => server.requests.filter(isHeadBucket).length;
const answerHeadBucket = (status: number | undefined): void => {
  server.intercept = (request) => (isHeadBucket(request) ? status : undefined);
};

it('asks for the bucket once for all saves', async () => {
  await Promise.all(['a.png', 'b.png', 'c.png'].map((name) => saveTo(store, name, image)));
  await saveTo(store, 'd.png', image);
  expect(countHeadBucket()).toBe(1);
});

it.each([
  ['HEAD', 400],
  ['HEAD', 503],
  ['PUT', 405],
])('asks again at the next save after %s was answered by %i', async (method, status) => {
  server.intercept = ({ line }) => (line.startsWith(method) ? status : undefined);
  await codeOf(() => saveTo(store, 'a.png', image));
  await codeOf(() => saveTo(store, 'a.png', image));
  expect(countHeadBucket()).toBe(2);
  server.intercept = () => undefined;
  await saveTo(store, 'a.png', image);
  expect(server.objects.get('/renders/a.png')?.body.equals(image)).toBe(true);
});

it('repeats the refusal of a missing bucket for three seconds, and then asks again', async () => {
  const now = jest.spyOn(performance, 'now').mockReturnValue(1_000_000);
  answerHeadBucket(404);
  expect(await codeOf(() => saveTo(store, 'a.png', image))).toBe('store-missing');
  answerHeadBucket(undefined);
  now.mockReturnValue(1_002_999);
  expect(await codeOf(() => saveTo(store, 'a.png', image))).toBe('store-missing');
  expect(countHeadBucket()).toBe(1);
  now.mockReturnValue(1_003_000);
  await saveTo(store, 'a.png', image);
});

describe('a check', () => {
  it('asks for the bucket each time', async () => {
    await store.check!();
    await store.check!();
    expect(countHeadBucket()).toBe(2);
  });

  it.each([
    [404, 'store-missing'],
    [503, 'store-unavailable'],
  ])('answered by %i rejects with %s, and the next one asks again at once', async (status, code) => {
    answerHeadBucket(status);
    expect(await codeOf(() => store.check!())).toBe(code);
    answerHeadBucket(undefined);
    await store.check!();
    await saveTo(store, 'a.png', image);
    expect(countHeadBucket()).toBe(2);
  });

  it.each([
    ['create', /^POST \/renders\/saved\/image-save-check\?uploads/, 403, 'store-denied'],
    ['create', /^POST .*\?uploads/, 503, 'store-unavailable'],
    ['abort', /^DELETE .*uploadId/, 403, 'store-denied'],
  ])('rejects where an upload cannot %s (%s, %i)', async (_what, line, status, code) => {
    const checked = s3Store({ client: server.client(), bucket: 'renders', prefix: 'saved/' });
    server.intercept = (request) => (line.test(request.line) ? status : undefined);
    expect(await codeOf(() => checked.check!())).toBe(code);
    server.intercept = () => undefined;
    server.uploads.clear();
    await checked.check!();
    expect([server.uploads.size, server.objects.size]).toEqual([0, 0]);
  });

  it.each([405, 501])('resolves where the gateway has no uploads in parts: %i', async (status) => {
    server.intercept = ({ line }) => (line.startsWith('POST') ? status : undefined);
    await store.check!();
  });

  it('resolves where HeadBucket is forbidden: images may be saved all the same', async () => {
    answerHeadBucket(403);
    await saveTo(store, 'a.png', image);
    await store.check!();
  });
});

it('does not ask again after a name was taken', async () => {
  await saveTo(store, 'a.png', image);
  expect(await codeOf(() => saveTo(store, 'a.png', image, { overwrite: false }))).toBe('file-exists');
  await saveTo(store, 'b.png', image);
  expect(countHeadBucket()).toBe(1);
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
    ['ExpiredToken', 400, 'store-denied'],
    ['CredentialsProviderError', undefined, 'store-denied'],
    ['Unauthorized', 401, 'store-denied'],
    ['QuotaExceeded', 403, 'disk-full'],
    ['InsufficientStorage', 507, 'disk-full'],
    ['KeyTooLongError', 400, 'name-invalid'],
    ['PreconditionFailed', 412, 'file-exists'],
    ['ConditionalRequestConflict', 409, 'store-unavailable'],
    ['SlowDown', 503, 'store-unavailable'],
    ['TooManyRequests', 429, 'store-unavailable'],
    ['TimeoutError', undefined, 'store-unavailable'],
    ['NoSuchUpload', 404, 'store-unavailable'],
    ['EntityTooLarge', 400, 'too-many-bytes'],
    ['Unknown', 413, 'too-many-bytes'],
    ['NotImplemented', 501, 'store-denied'],
    // A wrong field of `object`, a header that a gateway does not know, a wrong key of KMS.
    ['InvalidArgument', 400, 'store-denied'],
    ['MethodNotAllowed', 405, 'store-denied'],
    ['BadDigest', 400, 'write-failed'],
    ['ThrottlingException', 400, 'store-unavailable'],
    ['OperationAborted', 409, 'write-failed'],
  ])('such as %s (%s) gets the code %s', (name, status, code) => {
    const cause = thrown(name, status);
    const error = storeError(cause);
    expect(error).toMatchObject({ name: 'SaveError', code, cause });
    expect(error.message).not.toMatch(/renders|10\.0/);
  });

  it.each<[S3ClientConfig, string]>([
    [{ region: 'a b' }, 'internal-error'],
    [{ endpoint: 'nonsense' }, 'internal-error'],
    [{ endpoint: 'http://127.0.0.1:1' }, 'store-unavailable'],
    [{ credentials: () => fetch('http://127.0.0.1:1') as never }, 'store-unavailable'],
  ])('without an answer, of a client with %j, gets the code %s', async (config, code) => {
    const unanswered = s3Store({ client: server.client(config), bucket: 'renders' });
    expect(await codeOf(() => unanswered.check!())).toBe(code);
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
  ])('such as %s (%s) concerns every object of the bucket: %s', (name, status, all) => {
    expect(concernsBucket(storeError(thrown(name, status)))).toBe(all);
  });
});
