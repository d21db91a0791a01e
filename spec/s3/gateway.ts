// The gateway that the specs of this folder save to: clients, buckets, and what is in them.
import { readFileSync } from 'node:fs';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
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
import { SaveError } from '../../lib/errors.js';
import type { ImageBytes } from '../../lib/image/types.js';
import type { ImageStore, PublishResult, InspectedImage } from '../../lib/stores/types.js';
import { ceph } from './ceph.js';

interface Gateway {
  readonly endpoint: string;
  readonly users: readonly {
    readonly name: string;
    readonly accessKey: string;
    readonly secretKey: string;
  }[];
}

export const gateway = JSON.parse(process.env['CEPH_S3']!) as Gateway;

/** A client of the owner of the buckets, or of the guest who has only the rights that a bucket grants. */
export function clientOf(
  name: 'owner' | 'guest',
  { endpoint = gateway.endpoint, ...config }: S3ClientConfig & { endpoint?: string } = {},
): S3Client {
  const user = gateway.users.find((one) => one.name === name)!;
  return new S3Client({
    endpoint,
    region: 'us-east-1',
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

/** Lets the guest see everything in a bucket, and save nothing. */
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

/** Looks past the store's own code. */
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

/** What of one save differs from the ordinary. */
export interface SaveOptions {
  readonly overwrite?: boolean;
  readonly signal?: AbortSignal;
  readonly lastLook?: () => void;
  /** Called between the finding of the place, which renderers come after, and the publishing. */
  readonly found?: () => unknown;
}

export async function save(
  store: ImageStore,
  name: string,
  bytes: ImageBytes,
  options: SaveOptions = {},
): Promise<PublishResult> {
  const { signal = new AbortController().signal } = options;
  const place = await store.prepare(name, {
    req: new IncomingMessage(new Socket()),
    overwrite: options.overwrite ?? true,
    durable: true,
    signal,
  });
  try {
    await options.found?.();
    const image: InspectedImage = {
      bytes,
      format: 'png',
      type: 'image/png',
      width: 30,
      height: 20,
      pages: 1,
      pixels: 600,
    };
    const lastLook = (): void => {
      signal.throwIfAborted();
      options.lastLook?.();
    };
    return await place.publish(image, lastLook);
  } finally {
    await place.close?.();
  }
}

/** The code that a save is refused by. */
export async function codeOf(save: Promise<unknown>): Promise<string> {
  const outcome = await save.then(
    () => 'saved',
    (error: unknown) => error,
  );
  if (outcome === 'saved') return outcome;
  if (outcome instanceof SaveError) return outcome.code;
  throw outcome;
}

/** Kills the gateway as if the power had gone. */
export function killGateway(): void {
  process.kill(
    Number(readFileSync(join(process.env['CEPH_FOLDER']!, 'run/client.gateway.pid'), 'utf8')),
    'SIGKILL',
  );
}

export function startGateway(): void {
  ceph('gateway', process.env['CEPH_FOLDER']!);
}
