// Saves that arrive at a multiple of what the renderer can do, each with two seconds until its deadline.
import type { BenchContext } from '../context.js';
import { createApp } from '../context.js';
import { digits, duration, percent, table } from '../format.js';
import { closedLoop, openLoop } from '../load.js';
import { sendMixed } from '../mixed-load.js';
import { createFolder } from '../saved-files.js';
import { startServer } from '../server-process.js';
import type { Contestant } from '../server.js';
import { median, percentile } from '../statistics.js';

/** Saves that may hold up others: how many, of which image, with which time limit in milliseconds. */
const OBSTACLES = [
  ['none', 0, 'quick.jpg', 1000],
  ['6 renders that never answer', 6, 'stuck.jpg', 25_000],
  ['20 renders that never answer', 20, 'stuck.jpg', 25_000],
  ['4 images of 95 megapixels', 4, 'huge.jpg', 120_000],
] as const;

export async function overload(context: BenchContext): Promise<void> {
  const rows: string[][] = [];
  for (const library of context.libraries) {
    const { savedPerSecond: capacity } = await sendMixed(library, 'scaled.jpg', { atOnce: 8 }, context);
    rows.push([library.name, '8 at once', `${digits(capacity)} per second`, '', '', '', '']);
    for (const factor of [1, 2, 10]) {
      const load = { perSecond: factor * capacity };
      const { saves, savedPerSecond, ordinary } = await sendMixed(library, 'scaled.jpg', load, context);
      const timedOut = saves.filter(({ text }) => text.includes('status=timeout'));
      const refused = saves.filter(({ text }) => text.includes('error.code=too-busy'));
      rows.push([
        ...[library.name, `${factor} ×`, percent(savedPerSecond / capacity)],
        ...[timedOut, refused].map(({ length }) => percent(length / saves.length)),
        ...[refused.map(({ latency }) => latency), ordinary].map((all) => duration(percentile(all, 0.99))),
      ]);
    }
  }
  const head = ['', 'offered', 'done, of 8 at once', 'timed out', 'refused', 'refusal, p99', 'sendFile, p99'];
  context.print('### overload: saves behind a renderer, timeout=2000');
  context.print(table(head, rows));
  await besideObstacles(context);
}

/** Saves that need 25 ms and have 5 s, 25 a second, beside saves that stop or starve others. */
async function besideObstacles(context: BenchContext): Promise<void> {
  const rows: string[][] = [];
  for (const library of context.libraries)
    for (const obstacle of OBSTACLES)
      rows.push([library.name, ...(await beside(context, library, obstacle))]);
  context.print('### overload: 25 saves per second that need 25 ms, timeout=5000, beside others');
  context.print(table(['', 'beside', 'done', 'save, p50', 'save, p99', 'others done'], rows));
}

async function beside(
  context: BenchContext,
  library: Contestant,
  [what, count, image, timeout]: (typeof OBSTACLES)[number],
): Promise<string[]> {
  const { pools, stop } = await startServer([createApp(library, 'default options', context)], context);
  const pool = pools[0]!;
  const [quick, slow] = [createFolder(context.diskDir, 'quick.jpg'), createFolder(context.diskDir, image)];
  const obstacles = closedLoop(pool, (index) => `${slow.path(index)}&timeout=${timeout}`, count, {
    requests: count,
  });
  // Those that never end break off with the server.
  obstacles.catch(() => undefined);
  const seconds = context.quick ? 1 : 4;
  const saves = await openLoop(pool, (index) => `${quick.path(index)}&timeout=5000`, 25, seconds);
  const done = saves.filter(({ status }) => status === 200);
  const latencies = done.map(({ latency }) => latency);
  const others =
    image === 'huge.jpg' ? (await obstacles).filter(({ status }) => status === 200).length : undefined;
  await stop();
  return [
    what,
    `${done.length} of ${saves.length}`,
    duration(median(latencies)),
    duration(percentile(latencies, 0.99)),
    others === undefined ? '' : `${others} of ${count}`,
  ];
}
