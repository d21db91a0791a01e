// The start of a decoder process: ends it when its host ends, also while its libraries load, and makes it the first
// process that Linux ends when memory is short.
import { writeFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';

// Loading may block this thread for ever. The host writes nothing to standard input, so only the host's end closes it.
const watcher = new Worker(
  `new (require('net').Socket)({ fd: 0 }).on('close', () => process.kill(process.pid, 'SIGKILL')).resume();`,
  { eval: true },
);
// Without that thread, the channel shows the host's end once the libraries are loaded.
watcher.on('error', () => undefined);

try {
  writeFileSync('/proc/self/oom_score_adj', '1000');
} catch {
  // Another system, or one without /proc.
}

void import('./serve.js').then(({ serve }) => serve()).finally(() => void watcher.terminate());
