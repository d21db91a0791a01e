// Starts and stops a Ceph with an S3 gateway, by scripts/ceph.mjs.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

const SCRIPT = fileURLToPath(new URL('../../../scripts/ceph.mjs', import.meta.url));

export interface Ceph {
  /** The folder of its files, a temporary one. */
  readonly folder: string;
  /** The URL of the S3 gateway. */
  readonly endpoint: string;
  readonly users: readonly CephUser[];
}

export interface CephUser {
  /** `owner` may create buckets, `guest` has only the rights that the policy of a bucket gives. */
  readonly name: 'owner' | 'guest';
  readonly accessKey: string;
  readonly secretKey: string;
}

/** @throws Error Ceph is not installed, or does not start. */
export async function startCeph(): Promise<Ceph> {
  const folder = await mkdtemp(path.join(tmpdir(), 'image-save-ceph-'));
  try {
    return { folder, ...(JSON.parse(await runScript('start', folder)) as Omit<Ceph, 'folder'>) };
  } catch (error) {
    await runScript('stop', folder);
    throw error;
  }
}

/** Starts the gateway again, after it was killed. */
export async function restartGateway({ folder }: Ceph): Promise<void> {
  await runScript('gateway', folder);
}

/** Stops Ceph and removes its folder. */
export async function stopCeph({ folder }: Ceph): Promise<void> {
  await runScript('stop', folder);
}

/** Runs the script to its end and returns its output. Ctrl-C does not reach the script, which is in another group. */
async function runScript(command: 'start' | 'gateway' | 'stop', folder: string): Promise<string> {
  const child = spawn(process.execPath, [SCRIPT, command, folder], { detached: true });
  const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  if (child.exitCode !== 0) throw new Error(`Ceph: ${errors.trim()}`);
  return output;
}
