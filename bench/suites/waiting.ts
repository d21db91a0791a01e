// Saves behind a renderer that waits 300 ms, as a proxy does: how soon 'auto' lets all of them run.
import { createApp, type BenchContext } from '../context.js';
import { digits, percent, table } from '../format.js';
import { closedLoop } from '../load.js';
import { createFolder, createPath, ServerProcess } from '../server-process.js';

const AT_ONCE = 200;
/** From the start of the server: while the limit rises, and afterwards. In seconds. */
const PARTS = [
  [0, 5],
  [5, 15],
] as const;

export async function waiting(context: BenchContext): Promise<void> {
  const unlimited = await measure(context, context.libraries[0].path, AT_ONCE);
  const rows = [
    [`concurrency: ${AT_ONCE}`, ...unlimited.map((perSecond) => `${digits(perSecond)} per second`)],
  ];
  for (const { name, path } of context.libraries) {
    const rates = await measure(context, path);
    rows.push([name, ...rates.map((rate, part) => percent(rate / (unlimited[part] ?? NaN)))]);
  }
  context.print(`### waiting: a renderer that waits 300 ms, ${AT_ONCE} saves at once`);
  context.print(table(['', ...PARTS.map(([begin, end]) => `done, seconds ${begin} to ${end}`)], rows));
}

/** Saves per second in each part. */
async function measure(context: BenchContext, library: string, concurrency?: number): Promise<number[]> {
  const { saves, options } = createApp({ library }, 'header', context);
  const apps = [{ saves, options: { ...options, concurrency } }];
  const server = await ServerProcess.start({ apps, images: context.images });
  const path = createPath('delayed.jpg', createFolder(options.savePath));
  const parts = PARTS.map((part) => part.map((seconds) => seconds * (context.quick ? 100 : 1000)));
  const begin = performance.now();
  const replies = await closedLoop(server.pool(0), {
    ...{ connections: AT_ONCE, path },
    continues: () => performance.now() - begin < Math.max(...parts.flat()),
  });
  await server.stop();
  return parts.map(([from = 0, to = 0]) => {
    const done = replies.filter(({ arrivedAt }) => arrivedAt - begin >= from && arrivedAt - begin < to);
    return (1000 * done.length) / (to - from);
  });
}
