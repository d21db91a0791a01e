// The entry point of `npm run demo:cluster`. Several processes save to one bucket, and some are killed meanwhile. Then a
// client checks that every acknowledged image is in the bucket, whole.
//
//   npm run demo:cluster             starts a Ceph of its own
//   npm run demo:cluster -- 500      makes 500 saves
//   S3_ENDPOINT=… S3_BUCKET=… AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=… npm run demo:cluster

import cluster from 'node:cluster';
import { createRequire } from 'node:module';
import type * as App from './app.js';
import type * as Run from './run.js';

// By `require`: the ESM build of sharp does not load in Node 20.9.
const require = createRequire(import.meta.url);

if (cluster.isPrimary) await (require('./run.ts') as typeof Run).run(process.argv[2]);
else (require('./app.ts') as typeof App).serve();
