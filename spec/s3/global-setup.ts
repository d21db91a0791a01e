// Starts Ceph before the specs of this folder, or says what is missing.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Runs `scripts/ceph.mjs` and returns what it prints. */
export function ceph(command: 'start' | 'gateway' | 'stop', folder: string): string {
  const script = join(__dirname, '../../scripts/ceph.mjs');
  return execFileSync(process.execPath, [script, command, folder], { encoding: 'utf8' });
}

export default function startCeph(): void {
  const folder = mkdtempSync(join(tmpdir(), 'image-save-ceph-'));
  process.env['CEPH_FOLDER'] = folder;
  try {
    // The specs run in this process or in its children: they inherit it.
    process.env['CEPH_S3'] = ceph('start', folder);
  } catch (error) {
    ceph('stop', folder);
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}
