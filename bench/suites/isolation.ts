// An ordinary `res.sendFile` beside many saves, on the disk as it is and on one whose flush takes 10 ms longer.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { createApp, type BenchContext } from '../context.js';
import { digits, milliseconds, table } from '../format.js';
import { closedLoop, latencies, openLoop } from '../load.js';
import { createFolder, createPath, ServerProcess } from '../server-process.js';
import { median, percentile } from '../statistics.js';

const SAVES_AT_ONCE = [0, 32, 128];

export async function isolation(context: BenchContext): Promise<void> {
  const slowFlush = buildSlowFlush(context.diskDir);
  const disks: [string, NodeJS.ProcessEnv][] = [['as it is', {}]];
  if (slowFlush !== undefined) disks.push(['flush + 10 ms', slowFlush]);
  else context.print('Without a slow disk: that needs Linux and a C compiler.');
  const rows: string[][] = [];
  for (const [disk, env] of disks) {
    for (const { name, path } of context.libraries) {
      const apps = [createApp({ library: path }, 'default options', context)];
      const server = await ServerProcess.start({ apps, images: context.images }, env);
      let alone = NaN;
      for (const saves of SAVES_AT_ONCE) {
        const { ordinary, perSecond } = await measure(server, saves, context);
        if (saves === 0) alone = median(ordinary);
        rows.push([
          ...[name, disk, String(saves), milliseconds(median(ordinary)), digits(median(ordinary) / alone)],
          ...[milliseconds(percentile(ordinary, 0.99)), digits(perSecond)],
        ]);
      }
      await server.stop();
    }
  }
  context.print('### isolation: an ordinary sendFile beside saves of 20 KB, default options');
  const head = ['', 'disk', 'saves at once', 'sendFile', '÷ alone', 'sendFile, p99', 'saves per second'];
  context.print(table(head, rows));
}

/** What the ordinary requests take, in milliseconds, beside so many saves at once, and how many of these are done. */
async function measure(
  server: ServerProcess,
  saves: number,
  context: BenchContext,
): Promise<{ ordinary: number[]; perSecond: number }> {
  const path = createPath('20kb.jpg', createFolder(context.diskDir));
  const seconds = context.quick ? 1 : 3;
  // The first second is warm-up.
  const begin = performance.now() + 1000;
  const end = begin + 1000 * seconds;
  const saving = closedLoop(server.pool(0), {
    ...{ connections: saves, path },
    continues: () => performance.now() < end,
  });
  await sleep(1000);
  const ordinary = await openLoop(server.pool(0), { perSecond: 50, seconds, path: () => '/sent-file' });
  const done = (await saving).filter(({ arrivedAt }) => arrivedAt > begin && arrivedAt <= end);
  return { ordinary: latencies(ordinary), perSecond: done.length / seconds };
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
