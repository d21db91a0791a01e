// A bucket of an S3 gateway: how it is saved to, by this package and by the client alone, and what is in it.
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import {
  CreateBucketCommand,
  DeleteObjectsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { s3Store } from 'express-image-save/s3';
import { inspectImage } from '../dist/image/inspect.js';

// How long the client goes on supporting this Node is said to nobody here, and not once for each process.
process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true';

/** A bucket, as a process is told of it. */
export interface Bucket {
  readonly endpoint: string;
  readonly accessKey: string;
  readonly secretKey: string;
  readonly name: string;
}

/** Saves under a key. */
export type SaveAs = (key: string) => Promise<unknown>;

/** A client with nothing set but where the gateway is and who asks. */
export function clientOf({ endpoint, accessKey, secretKey }: Bucket): S3Client {
  return new S3Client({
    ...{ endpoint, region: 'us-east-1', forcePathStyle: true },
    credentials: { accessKeyId: accessKey, secretAccessKey: secretKey },
  });
}

export function storeIn(bucket: Bucket): ReturnType<typeof s3Store> {
  return s3Store({ client: clientOf(bucket), bucket: bucket.name });
}

/** The client's own command, with nothing around it. */
export function putInto(bucket: Bucket, image: Buffer): SaveAs {
  const client = clientOf(bucket);
  const rest = { Bucket: bucket.name, Body: image, ContentType: 'image/jpeg' };
  return (key) => client.send(new PutObjectCommand({ ...rest, Key: key }));
}

/** The store alone: without a request, and of an image that has been looked at before. */
export async function storeInto(bucket: Bucket, image: Buffer): Promise<SaveAs> {
  const store = storeIn(bucket);
  const facts = await inspectImage(image, { verify: 'header', maxPixels: Number.MAX_SAFE_INTEGER });
  const req = new IncomingMessage(new Socket());
  return async (key) => {
    const { signal } = new AbortController();
    const place = await store.findPlace(key, { req, overwrite: true, durable: false, signal });
    await place.publish({ ...facts, bytes: image }, () => {
      signal.throwIfAborted();
    });
    await place.close?.();
  };
}

export async function makeBucket(bucket: Bucket): Promise<void> {
  await clientOf(bucket).send(new CreateBucketCommand({ Bucket: bucket.name }));
}

/** How many whole images of so many bytes are in a folder of the bucket. */
export async function countImages(bucket: Bucket, folder: string, bytes: number): Promise<number> {
  let count = 0;
  for await (const objects of pages(bucket, `${folder}/`)) {
    count += objects.filter(({ Size }) => Size === bytes).length;
  }
  return count;
}

/** Removes all that is in the bucket. */
export async function emptyBucket(bucket: Bucket): Promise<void> {
  const client = clientOf(bucket);
  for await (const objects of pages(bucket, '')) {
    const Objects = objects.map(({ Key }) => ({ Key }));
    if (Objects.length === 0) continue;
    await client.send(new DeleteObjectsCommand({ Bucket: bucket.name, Delete: { Objects } }));
  }
}

/** What is in the bucket, by the thousand. */
async function* pages(
  bucket: Bucket,
  Prefix: string,
): AsyncGenerator<{ Key?: string | undefined; Size?: number | undefined }[]> {
  const client = clientOf(bucket);
  let after: string | undefined;
  do {
    const answer = await client.send(
      new ListObjectsV2Command({ Bucket: bucket.name, Prefix, ...(after && { StartAfter: after }) }),
    );
    const { Contents = [], IsTruncated } = answer;
    yield Contents;
    after = IsTruncated === true ? Contents.at(-1)?.Key : undefined;
  } while (after !== undefined);
}
