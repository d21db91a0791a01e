// Saves to a bucket, against the put of the client that the store sends them by.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { emptyBucket, makeBucket, type Bucket } from '../bucket.js';
import { startCeph } from '../ceph.js';
import { jpegOfBytes } from '../images.js';
import { fewer, hold, type Surroundings } from '../part.js';
import type { Measure } from '../rounds.js';
import type { Kind } from '../kinds.js';
import type { Variant } from '../server.js';
import { measure, startTogether, warmUp } from '../slices.js';

/** Images, and how many of them a slice saves, one after the other: the gateway must not be what is waited for. */
const SIZES = [
  { size: '20 KB', bytes: 20_000, requests: 60 },
  { size: '200 KB', bytes: 200_000, requests: 40 },
  { size: '5 MB', bytes: 5_000_000, requests: 4 },
] as const;

/** What is compared with the put: a whole save, and what is left of it without a server and a look at the image. */
const SUBJECTS = [
  ['save to S3', 'imageSave', 'image-save'],
  ['store to S3', 's3Store alone', 'store'],
] as const satisfies readonly (readonly [string, string, Kind])[];

export async function bucket(surroundings: Surroundings): Promise<void> {
  const started = await startCeph(join(surroundings.folder, 'ceph'));
  if ('missing' in started) {
    surroundings.say(`Left out, since there is no S3 gateway: ${started.missing}`);
    return;
  }
  const { endpoint, users } = started.gateway;
  const [user] = users;
  if (user === undefined) throw new Error('The gateway has no users');
  const small = join(surroundings.folder, 'bucket-small.jpg');
  writeFileSync(small, await jpegOfBytes(20_000));
  for (const { size, bytes, requests } of SIZES) {
    const file = join(surroundings.folder, `bucket-${bytes}.jpg`);
    writeFileSync(file, await jpegOfBytes(bytes));
    const to: Bucket = { endpoint, ...user, name: `images-of-${bytes}` };
    await makeBucket(to);
    for (const [what, subject, kind] of SUBJECTS) {
      const load = { requests: fewer(surroundings, requests), connections: 1 };
      await play({ name: `${what} of ${size}`, subject, kind, file, small, bucket: to, load }, surroundings);
      // The gateway keeps its objects in memory.
      await emptyBucket(to);
    }
  }
  await started.stop();
}

interface Match {
  readonly name: string;
  readonly subject: string;
  readonly kind: Kind;
  readonly file: string;
  readonly small: string;
  readonly bucket: Bucket;
  readonly load: { readonly requests: number; readonly connections: number };
}

async function play(
  { name, subject, kind, file, small, bucket, load }: Match,
  surroundings: Surroundings,
): Promise<void> {
  const { client, root } = surroundings;
  const variant = (of: Kind, image: string): Variant => ({
    ...{ kind: of, root, bucket, verify: 'header', durable: false },
    source: { file: image, by: 'end' },
  });
  const running = await Promise.all(
    ([kind, 'put', kind] as const).map((of) =>
      startTogether(client, [variant(of, file), variant(of, small)]),
    ),
  );
  // One after the other: the client does one thing at a time.
  for (const [index, [, withSmall]] of surroundings.quick ? [] : running.entries()) {
    if (withSmall !== undefined) await warmUp(withSmall, `${name}-${index}`);
  }
  const [save, put, twin] = running.map(
    ([each], index): Measure | undefined => each && measure(each, load, `${name}-${index}`),
  );
  if (save === undefined || put === undefined || twin === undefined) throw new Error('No variants');
  const variants = new Map([
    [subject, save],
    ["the client's put", put],
  ]);
  await hold({ name, subject, variants, twin }, surroundings);
  await Promise.all(running.flat().map(({ stop }) => stop()));
}
