// The S3 gateway of these specs: its clients and buckets, and the objects in them.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  CreateBucketCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutBucketPolicyCommand,
  S3Client,
  type HeadObjectCommandOutput,
  type S3ClientConfig,
} from '@aws-sdk/client-s3';
import { restartGateway, type Ceph } from './ceph.js';

export const gateway = JSON.parse(process.env['CEPH']!) as Ceph;

/** Creates a client of the owner of all buckets, or of the guest, who has only the rights that a bucket grants. */
export function clientOf(
  name: 'owner' | 'guest',
  config: S3ClientConfig & { endpoint?: string } = {},
): S3Client {
  const user = gateway.users.find((one) => one.name === name)!;
  return new S3Client({
    region: 'us-east-1',
    endpoint: gateway.endpoint,
    forcePathStyle: true,
    credentials: { accessKeyId: user.accessKey, secretAccessKey: user.secretKey },
    ...config,
  });
}

export const owner = clientOf('owner');

let buckets = 0;

export async function makeBucket(): Promise<string> {
  buckets += 1;
  const bucket = `bucket-${process.pid}-${Date.now()}-${buckets}`;
  await owner.send(new CreateBucketCommand({ Bucket: bucket }));
  return bucket;
}

/** Lets the guest read everything in a bucket and save nothing. */
export async function letGuestRead(bucket: string): Promise<void> {
  const Statement = [
    {
      Effect: 'Allow',
      Principal: { AWS: ['arn:aws:iam:::user/guest'] },
      Action: ['s3:ListBucket', 's3:GetObject'],
      Resource: [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`],
    },
  ];
  const Policy = JSON.stringify({ Version: '2012-10-17', Statement });
  await owner.send(new PutBucketPolicyCommand({ Bucket: bucket, Policy }));
}

/** Reads an object without the code of the store under test. */
export async function read(bucket: string, key: string): Promise<Buffer | undefined> {
  try {
    const { Body } = await owner.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    return Buffer.from(await Body!.transformToByteArray());
  } catch (error) {
    if ((error as Error).name === 'NoSuchKey') return undefined;
    throw error;
  }
}

export async function head(bucket: string, key: string): Promise<HeadObjectCommandOutput> {
  return owner.send(new HeadObjectCommand({ Bucket: bucket, Key: key }));
}

export async function uploadsIn(bucket: string): Promise<string[]> {
  const { Uploads = [] } = await owner.send(new ListMultipartUploadsCommand({ Bucket: bucket }));
  return Uploads.map(({ Key }) => `an upload of ${Key}`);
}

export async function objectsIn(bucket: string): Promise<string[]> {
  const { Contents = [] } = await owner.send(new ListObjectsV2Command({ Bucket: bucket }));
  return Contents.map(({ Key }) => Key!);
}

/** Expects a time within a second of the object's own: the store takes it from the `Date` of the answer. */
export function expectSecondsApart(lastUpdated: number | undefined, object: HeadObjectCommandOutput): void {
  expect(Math.abs(lastUpdated! - object.LastModified!.getTime())).toBeLessThanOrEqual(1000);
}

/** Kills the gateway, as a power cut would. */
export function killGateway(): void {
  process.kill(Number(readFileSync(join(gateway.folder, 'run/client.gateway.pid'), 'utf8')), 'SIGKILL');
}

export async function startGateway(): Promise<void> {
  await restartGateway(gateway);
}
