// Stops Ceph after the specs of this folder.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

export default function stopCeph(): void {
  const script = join(__dirname, '../../scripts/ceph.mjs');
  execFileSync(process.execPath, [script, 'stop', process.env['CEPH_FOLDER']!]);
}
