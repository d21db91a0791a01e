// Faults of the wire and of a real bucket: each has its own code, keeps the old object whole, and leaves no object.
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { S3Client } from '@aws-sdk/client-s3';
import { SaveError } from '../../../lib/errors.js';
import { s3Store, type S3StoreOptions } from '../../../lib/s3.js';
import type { ImageStore } from '../../../lib/stores/types.js';
import { saveTo } from '../../../lib/stores/store-test-harness.js';
import { codeOf } from '../../support/refusal.js';
import { clientOf, gateway, letGuestRead, makeBucket, objectsIn, read, uploadsIn } from './gateway.js';
import { Proxy, type Fate } from './proxy.js';

const MIB = 1024 ** 2;
const NAME = 'a.png';
/** The bytes of the old object. */
const OLD = randomBytes(1000);

/** A way to send an image, the request that publishes it, and the request for its middle. */
const ways = [
  ['at once', 3 * MIB, /^PUT \S+a\.png/, /^PUT \S+a\.png/],
  ['in parts', 11 * MIB, /^POST \S+a\.png\?uploadId=/, /^PUT \S+a\.png\?partNumber=2/],
] as const;

let bucket: string;
let proxy: Proxy;
let client: S3Client;

beforeEach(async () => {
  bucket = await makeBucket();
  proxy = await Proxy.start(gateway.endpoint);
  client = clientOf('owner', { endpoint: proxy.endpoint });
  await saveTo(storeOf(), NAME, OLD);
  proxy.requests.length = 0;
});
afterEach(async () => {
  client.destroy();
  await proxy.stop();
});

const storeOf = (options: Partial<S3StoreOptions> = {}): ImageStore =>
  s3Store({ client, bucket, partSize: 5 * MIB, ...options });

/** The fate of the requests that a pattern matches. */
const fate =
  (pattern: RegExp, what: Fate) =>
  (request: string): Fate =>
    pattern.test(request) ? what : 'passes';

const expectUntouched = (): Promise<void> => expectSaved(OLD);

async function expectSaved(image: Buffer): Promise<void> {
  expect((await read(bucket, NAME))?.equals(image)).toBe(true);
  expect(await objectsIn(bucket)).toEqual([NAME]);
  expect(await uploadsIn(bucket)).toEqual([]);
}

describe('the bucket', () => {
  it('refuses wrong credentials, and the next save before rendering', async () => {
    const credentials = { accessKeyId: gateway.users[0]!.accessKey, secretAccessKey: 'wrong' };
    const store = storeOf({ client: clientOf('owner', { endpoint: proxy.endpoint, credentials }) });
    const onPrepared = jest.fn();
    expect(await codeOf(() => saveTo(store, NAME, randomBytes(1000), { onPrepared }))).toBe('store-denied');
    expect(await codeOf(() => saveTo(store, NAME, randomBytes(1000), { onPrepared }))).toBe('store-denied');
    expect(onPrepared).toHaveBeenCalledTimes(1);
    await expectUntouched();
  });

  it.each(ways)('refuses a save when it is read-only, %s', async (_, length) => {
    await letGuestRead(bucket);
    const store = storeOf({ client: clientOf('guest', { endpoint: proxy.endpoint }) });
    expect(await codeOf(() => saveTo(store, NAME, randomBytes(length)))).toBe('store-denied');
    await expectUntouched();
  });
});

it('a gateway lets the deadline end a save before rendering when it hangs', async () => {
  proxy.fateOf = () => 'hangs';
  const stop = new AbortController();
  const onPrepared = jest.fn();
  const saving = codeOf(() => saveTo(storeOf(), NAME, OLD, { signal: stop.signal, onPrepared }));
  while (proxy.requests.length === 0) await sleep(1);
  stop.abort(new SaveError('timeout', 'Too late.'));
  expect(await saving).toBe('timeout');
  expect(onPrepared).not.toHaveBeenCalled();
  await expectUntouched();
});

describe.each(ways)('an image that is sent %s', (_, length, publishes, middle) => {
  const image = randomBytes(length);
  // The system buffers some megabytes. A body that was written to its last byte may have arrived.
  const broken = length < 5 * MIB ? ['store-unavailable', 'store-no-response'] : ['store-unavailable'];

  it('is abandoned at the deadline when it hangs in transit', async () => {
    let hung = 0;
    proxy.fateOf = (request) => {
      if (!middle.test(request)) return 'passes';
      hung += 1;
      return 'hangs';
    };
    const stop = new AbortController();
    const saving = codeOf(() => saveTo(storeOf(), NAME, image, { signal: stop.signal }));
    while (hung === 0) await sleep(1);
    stop.abort(new SaveError('timeout', 'Too late.'));
    expect(await saving).toBe('timeout');
    expect(hung).toBe(1);
    await expectUntouched();
    proxy.fateOf = () => 'passes';
    await saveTo(storeOf(), NAME, image);
    await expectSaved(image);
  });

  it('is sent again after one broken connection', async () => {
    let times = 0;
    proxy.fateOf = (request) => {
      if (!/^PUT \S+a\.png/.test(request) || times > 0) return 'passes';
      times += 1;
      return { brokenAfter: MIB };
    };
    await saveTo(storeOf(), NAME, image);
    expect(times).toBe(1);
    await expectSaved(image);
  });

  it('is refused when every connection breaks', async () => {
    proxy.fateOf = fate(/^PUT \S+a\.png/, { brokenAfter: MIB });
    expect(broken).toContain(await codeOf(() => saveTo(storeOf(), NAME, image)));
    await expectUntouched();
  });

  it('is refused when it is changed in transit', async () => {
    proxy.fateOf = fate(/^PUT \S+a\.png/, 'garbled');
    expect(await codeOf(() => saveTo(storeOf(), NAME, image))).toBe('write-failed');
    await expectUntouched();
  });

  it('is found in the bucket when the answer never comes', async () => {
    proxy.fateOf = fate(publishes, 'unanswered');
    const { warning } = await saveTo(storeOf({ answerTimeout: 1000 }), NAME, image);
    expect(warning).toBeInstanceOf(Error);
    await expectSaved(image);
  });

  it('has an unknown outcome when the store stops answering', async () => {
    let published = false;
    proxy.fateOf = (request) => {
      published ||= publishes.test(request);
      return published ? 'unanswered' : 'passes';
    };
    expect(await codeOf(() => saveTo(storeOf({ answerTimeout: 1000 }), NAME, image))).toBe(
      'store-no-response',
    );
  });

  it.each([true, false])(
    'is found in the bucket when its answers are lost, overwrite: %s',
    async (overwrite) => {
      bucket = await makeBucket();
      let lost = 0;
      proxy.fateOf = (request) => {
        // With `overwrite: false` an image of any length is sent by one PutObject.
        if (!(overwrite ? publishes : /^PUT/).test(request) || lost > 0) return 'passes';
        lost += 1;
        return 'broken-at-answer';
      };
      await saveTo(storeOf(), NAME, image, { overwrite });
      expect(lost).toBe(1);
      await expectSaved(image);
    },
  );
});
