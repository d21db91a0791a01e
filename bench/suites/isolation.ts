// An ordinary `res.sendFile` beside many saves, on the disk as it is and on one whose flush takes 10 ms longer.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BenchContext } from '../context.js';
import { digits, duration, table } from '../format.js';
import { sendMixed } from '../mixed-load.js';
import { median, percentile } from '../statistics.js';

export async function isolation(context: BenchContext): Promise<void> {
  const slowFlush = buildSlowFlush(context.diskDir);
  const disks: [string, NodeJS.ProcessEnv][] = [['as it is', {}]];
  if (slowFlush !== undefined) disks.push(['flush + 10 ms', slowFlush]);
  else context.print('Without a slow disk: that needs Linux and a C compiler.');
  const rows: string[][] = [];
  for (const [disk, env] of disks) {
    for (const library of context.libraries) {
      let alone: number | undefined;
      for (const atOnce of [0, 32, 128]) {
        const { savedPerSecond, ordinary } = await sendMixed(library, '20kb.jpg', { atOnce }, context, env);
        const usual = median(ordinary);
        alone ??= usual;
        rows.push([
          ...[library.name, disk, String(atOnce), duration(usual), digits(usual / alone)],
          ...[duration(percentile(ordinary, 0.99)), digits(savedPerSecond)],
        ]);
      }
    }
  }
  context.print('### isolation: an ordinary sendFile beside saves of 20 KB, default options');
  const head = ['', 'disk', 'saves at once', 'sendFile', '÷ alone', 'sendFile, p99', 'saves per second'];
  context.print(table(head, rows));
}

/** Compiles the slow flush and returns the setting that preloads it; undefined if that is not possible. */
function buildSlowFlush(dir: string): NodeJS.ProcessEnv | undefined {
  const library = join(dir, 'slow-flush.so');
  const source = fileURLToPath(new URL('../slow-flush.c', import.meta.url));
  try {
    execFileSync('cc', ['-shared', '-fPIC', '-O1', '-o', library, source, '-ldl'], { stdio: 'ignore' });
  } catch {
    return undefined;
  }
  // A flush through io_uring would go past the library.
  return { LD_PRELOAD: library, FLUSH_DELAY_MS: '10', UV_USE_IO_URING: '0' };
}
