// The contract of every store, kept by the one that saves to S3; and what only such a store has.
import { randomBytes } from 'node:crypto';
import { s3Store } from '../../lib/s3.js';
import { storeTests } from '../../lib/stores/conformance.js';
import { clientOf, head, makeBucket, objectsIn, owner, read, save, uploadsIn } from './gateway.js';

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
  const checks = storeTests({
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
        // The bucket goes with the whole of Ceph.
        close: () => Promise.resolve(),
      };
    },
  });
  it.each(checks.map(({ name, run }) => [name, run] as const))('%s', async (_name, run) => {
    await run();
  });
});

describe.each([
  ['at once', 100_000],
  ['in parts', 11 * MIB],
])('an object that is sent %s', (_, length) => {
  it('has the media type, the size in pixels and the time that is told', async () => {
    const bucket = await makeBucket();
    const store = s3Store({ client: owner, bucket, partSize: 5 * MIB });
    const { lastUpdated, warning } = await save(store, 'a.png', randomBytes(length));
    const object = await head(bucket, 'a.png');
    expect(object.ContentType).toBe('image/png');
    expect(object.ContentLength).toBe(length);
    expect(object.Metadata).toMatchObject({
      'image-width': '30',
      'image-height': '20',
      'image-pixels': '600',
    });
    expect(lastUpdated).toBe(object.LastModified!.getTime());
    expect(warning).toBeUndefined();
  });
});

it("tells the store's own time of each object, and seldom has to ask for it", async () => {
  const bucket = await makeBucket();
  const client = clientOf('owner');
  let asked = 0;
  client.middlewareStack.add(
    (next, { commandName }) =>
      (args) => {
        if (commandName === 'HeadObjectCommand') asked += 1;
        return next(args);
      },
    { step: 'initialize' },
  );
  const store = s3Store({ client, bucket });
  const told = new Map<string, number>();
  for (let index = 0; index < 1000; index += 1) {
    const name = `${index}.png`;
    told.set(name, (await save(store, name, randomBytes(1000))).lastUpdated);
  }
  for (const [name, lastUpdated] of told) {
    expect([name, lastUpdated]).toEqual([name, (await head(bucket, name)).LastModified!.getTime()]);
  }
  expect(asked).toBeLessThan(told.size);
});
