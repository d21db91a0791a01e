// The store tests for the S3 store, and its own features.
import { randomBytes } from 'node:crypto';
import { s3Store } from '../../../lib/s3.js';
import { saveTo } from '../../../lib/stores/store-test-harness.js';
import { storeTests } from '../../../lib/stores/store-tests.js';
import { clientOf, head, makeBucket, objectsIn, owner, read, uploadsIn } from './gateway.js';

const MIB = 1024 ** 2;

const clients = {
  'as the client is by default': owner,
  // For gateways that know no other checksums than the signature's.
  'with checksums only where they are required': clientOf('owner', {
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  }),
};

describe.each(Object.entries(clients))('a store in a bucket, %s', (_, client) => {
  const tests = storeTests({
    // More than two parts.
    largeImageBytes: 11 * MIB,
    async open() {
      const bucket = await makeBucket();
      const prefix = 'saved/';
      return {
        store: s3Store({ client, bucket, prefix, partSize: 5 * MIB }),
        read: (name) => read(bucket, prefix + name),
        async list() {
          const all = [...(await objectsIn(bucket)), ...(await uploadsIn(bucket))];
          return all.map((key) => (key.startsWith(prefix) ? key.slice(prefix.length) : `${key}, outside`));
        },
        // The bucket is removed with the whole Ceph.
        close: () => Promise.resolve(),
      };
    },
  });
  it.each(tests.map(({ name, run }) => [name, run] as const))('%s', async (_name, run) => {
    await run();
  });
});

it.each([
  ['at once', 100_000],
  ['in parts', 11 * MIB],
])('gives an object that is sent %s the fields of the option object', async (_, length) => {
  const bucket = await makeBucket();
  const store = s3Store({
    client: owner,
    bucket,
    partSize: 5 * MIB,
    object: ({ name, type }) => ({ CacheControl: 'max-age=60', Metadata: { source: `${name} ${type}` } }),
  });
  await saveTo(store, 'a.png', randomBytes(length));
  const object = await head(bucket, 'a.png');
  expect(object.CacheControl).toBe('max-age=60');
  expect(object.Metadata).toMatchObject({ source: 'a.png image/png', 'image-width': '30' });
});
