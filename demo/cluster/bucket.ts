// The bucket to save to: the one that the environment names, or one in a Ceph that is started for it.

import { CreateBucketCommand, DeleteObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { startCeph, stopCeph } from './ceph.js';
import { createS3Client, listKeys } from './s3.js';

export interface BucketLocation {
  readonly client: S3Client;
  readonly bucket: string;
  /** The start of all keys of this run. */
  readonly prefix: string;
}

/** Returns the location in the environment, which the processes of the cluster inherit. */
export function getBucketLocation(): BucketLocation {
  const { S3_ENDPOINT, S3_BUCKET: bucket = '', S3_PREFIX: prefix = '', AWS_REGION } = process.env;
  const client = createS3Client({
    ...(S3_ENDPOINT !== undefined && { endpoint: S3_ENDPOINT }),
    ...(AWS_REGION !== undefined && { region: AWS_REGION }),
  });
  return { client, bucket, prefix };
}

/** Completes the environment, and starts a Ceph if it names no bucket. Returns a function that undoes everything. */
export async function openBucket(): Promise<() => Promise<void>> {
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true';
  process.env['S3_PREFIX'] = `demo-cluster-${Date.now()}/`;
  if (process.env['S3_BUCKET'] !== undefined) return removeObjects;
  if (process.env['S3_ENDPOINT'] !== undefined) throw new Error('Set S3_BUCKET to a bucket of S3_ENDPOINT');
  return openCephBucket();
}

async function removeObjects(): Promise<void> {
  const { client, bucket: Bucket, prefix } = getBucketLocation();
  // A save that was interrupted may still arrive while the others are removed.
  for (;;) {
    const keys = await listKeys(client, Bucket, prefix);
    if (keys.length === 0) return;
    await Promise.all(keys.map((Key) => client.send(new DeleteObjectCommand({ Bucket, Key }))));
  }
}

async function openCephBucket(): Promise<() => Promise<void>> {
  console.log('Starting Ceph. (To use another store, set S3_ENDPOINT, S3_BUCKET and the AWS variables.)');
  const ceph = await startCeph();
  try {
    const owner = ceph.users.find(({ name }) => name === 'owner')!;
    Object.assign(process.env, {
      S3_ENDPOINT: ceph.endpoint,
      S3_BUCKET: 'renders',
      AWS_ACCESS_KEY_ID: owner.accessKey,
      AWS_SECRET_ACCESS_KEY: owner.secretKey,
    });
    delete process.env['AWS_SESSION_TOKEN'];
    delete process.env['AWS_PROFILE'];
    await getBucketLocation().client.send(new CreateBucketCommand({ Bucket: 'renders' }));
  } catch (error) {
    await stopCeph(ceph);
    throw error;
  }
  return () => stopCeph(ceph);
}
