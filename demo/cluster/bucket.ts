// The bucket that is saved to: one that the environment names, or that of a Ceph which is started for it.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { CreateBucketCommand, DeleteObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';

const SCRIPT = fileURLToPath(new URL('../../scripts/ceph.mjs', import.meta.url));

export interface PlaceInStore {
  readonly client: S3Client;
  readonly bucket: string;
  /** What all keys of this run begin with. */
  readonly prefix: string;
}

/** The bucket as the environment has it, which the processes of the cluster inherit. */
export function placeInStore(): PlaceInStore {
  const {
    S3_ENDPOINT: endpoint,
    S3_BUCKET: bucket = '',
    S3_PREFIX: prefix = '',
    AWS_REGION = 'us-east-1',
  } = process.env;
  const client = new S3Client({
    region: AWS_REGION,
    ...(endpoint !== undefined && { endpoint, forcePathStyle: true }),
  });
  return { client, bucket, prefix };
}

/** Completes the environment. Returns what takes everything away again. */
export async function openBucket(): Promise<() => Promise<void>> {
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true';
  process.env['S3_PREFIX'] = `demo-cluster-${Date.now()}/`;
  if (process.env['S3_BUCKET'] !== undefined) return removeObjects;
  if (process.env['S3_ENDPOINT'] !== undefined) throw new Error('Set S3_BUCKET to a bucket of S3_ENDPOINT');
  return startCeph();
}

async function removeObjects(): Promise<void> {
  const { client, bucket: Bucket, prefix: Prefix } = placeInStore();
  for (;;) {
    const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket, Prefix }));
    if (Contents.length === 0) return;
    await Promise.all(Contents.map(({ Key }) => client.send(new DeleteObjectCommand({ Bucket, Key }))));
  }
}

async function startCeph(): Promise<() => Promise<void>> {
  console.log('Starting Ceph. (To use another store: S3_ENDPOINT, S3_BUCKET and the variables of AWS.)');
  const folder = await mkdtemp(path.join(tmpdir(), 'image-save-ceph-'));
  const stopCeph = async (): Promise<void> => {
    await ceph('stop', folder);
  };
  try {
    const { endpoint, users } = JSON.parse(await ceph('start', folder)) as {
      endpoint: string;
      users: { accessKey: string; secretKey: string }[];
    };
    Object.assign(process.env, {
      S3_ENDPOINT: endpoint,
      S3_BUCKET: 'renders',
      AWS_ACCESS_KEY_ID: users[0]!.accessKey,
      AWS_SECRET_ACCESS_KEY: users[0]!.secretKey,
    });
    delete process.env['AWS_SESSION_TOKEN'];
    delete process.env['AWS_PROFILE'];
    await placeInStore().client.send(new CreateBucketCommand({ Bucket: 'renders' }));
  } catch (error) {
    await stopCeph();
    throw error;
  }
  return stopCeph;
}

/** Runs `scripts/ceph.mjs` and returns what it prints. Ctrl-C does not break it off: it comes to its end first. */
async function ceph(command: 'start' | 'stop', folder: string): Promise<string> {
  const child = spawn(process.execPath, [SCRIPT, command, folder], { detached: true });
  const ended = once(child, 'close');
  const [output, complaint] = await Promise.all([text(child.stdout), text(child.stderr)]);
  await ended;
  if (child.exitCode !== 0) throw new Error(`Ceph: ${complaint.trim()}`);
  return output;
}
