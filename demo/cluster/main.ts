// What `npm run demo:cluster` starts: several processes that save to one bucket and are killed meanwhile, and a client
// that looks afterwards whether everything that was acknowledged is there, whole.
//
//   npm run demo:cluster             starts a Ceph of its own
//   npm run demo:cluster -- 500      makes so many saves
//   S3_ENDPOINT=… S3_BUCKET=… AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=… npm run demo:cluster

import cluster from 'node:cluster';
import { createRequire } from 'node:module';
import type * as App from './app.js';
import type * as Run from './run.js';

// By `require`, because the image library's own build for `import` does not load in Node 20.9.
const require = createRequire(import.meta.url);

if (cluster.isPrimary) await (require('./run.ts') as typeof Run).run(process.argv[2]);
else (require('./app.ts') as typeof App).serve();
