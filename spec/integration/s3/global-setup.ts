// Starts Ceph before the specs of this folder. Jest does not map the imports of a global setup, so it uses `require`.
import { createRequire } from 'node:module';
import type * as Ceph from './ceph.js';

const { startCeph } = createRequire(__filename)('./ceph.ts') as typeof Ceph;

export default async function setUp(): Promise<void> {
  // The specs, which run in this process or in its children, inherit it.
  process.env['CEPH'] = JSON.stringify(await startCeph());
}
