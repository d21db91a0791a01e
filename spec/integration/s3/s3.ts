// Connects to an S3 store and reads what is in a bucket, without the code of the middleware's own store.

import {
  GetObjectCommand,
  ListObjectsV2Command,
  S3Client,
  type ListObjectsV2CommandOutput,
  type S3ClientConfig,
} from '@aws-sdk/client-s3';

/** Creates a client of AWS, or of the gateway at an endpoint. */
export function createS3Client({
  endpoint,
  ...config
}: S3ClientConfig & { endpoint?: string } = {}): S3Client {
  return new S3Client({
    region: 'us-east-1',
    ...(endpoint !== undefined && { endpoint, forcePathStyle: true }),
    ...config,
  });
}

/** Returns the bytes of an object, or `undefined` if there is none. */
export async function readObject(client: S3Client, bucket: string, key: string): Promise<Buffer | undefined> {
  try {
    const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    return Buffer.from(await Body!.transformToByteArray());
  } catch (error) {
    if ((error as Error).name === 'NoSuchKey') return undefined;
    throw error;
  }
}

/** Returns the keys of all objects whose key starts with the prefix. */
export async function listKeys(client: S3Client, bucket: string, prefix = ''): Promise<string[]> {
  const keys: string[] = [];
  let ContinuationToken: string | undefined;
  do {
    const page: ListObjectsV2CommandOutput = await client.send(
      new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, ContinuationToken }),
    );
    for (const { Key } of page.Contents ?? []) keys.push(Key!);
    ContinuationToken = page.NextContinuationToken;
  } while (ContinuationToken !== undefined);
  return keys;
}
