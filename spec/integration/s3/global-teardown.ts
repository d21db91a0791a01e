// Stops Ceph after the specs of this folder.
import { createRequire } from 'node:module';
import type * as Ceph from './ceph.js';

const { stopCeph } = createRequire(__filename)('./ceph.ts') as typeof Ceph;

export default async function tearDown(): Promise<void> {
  await stopCeph(JSON.parse(process.env['CEPH']!) as Ceph.Ceph);
}
