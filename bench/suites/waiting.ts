// Saves behind a renderer that waits 300 ms, as a proxy does: how soon 'auto' lets all of them run.
import { createApp, type BenchContext } from '../context.js';
import { digits, percent, table } from '../format.js';
import { closedLoop } from '../load.js';
import { createFolder } from '../saved-files.js';
import { startServer } from '../server-process.js';
import type { Contestant } from '../server.js';

const AT_ONCE = 200;
/** Seconds from the start of the server: while the limit rises, and afterwards. */
const [RISEN, END] = [5, 15];

export async function waiting(context: BenchContext): Promise<void> {
  const unlimited = await measure(context, { ...context.libraries[0]!, concurrency: AT_ONCE });
  const rows = [
    [`concurrency: ${AT_ONCE}`, ...unlimited.map((perSecond) => `${digits(perSecond)} per second`)],
  ];
  for (const library of context.libraries) {
    const rates = await measure(context, library);
    rows.push([library.name, ...rates.map((rate, part) => percent(rate / (unlimited[part] ?? NaN)))]);
  }
  context.print(`### waiting: a renderer that waits 300 ms, ${AT_ONCE} saves at once`);
  context.print(table(['', `done, seconds 0 to ${RISEN}`, `done, seconds ${RISEN} to ${END}`], rows));
}

/** Saves per second while the limit rises, and afterwards. */
async function measure(context: BenchContext, library: Contestant): Promise<[number, number]> {
  const app = createApp(library, 'header', context);
  const { pools, stop } = await startServer([app], context);
  const { path } = createFolder(app.savePath, 'delayed.jpg');
  const [risen, end] = context.quick ? [RISEN / 10, END / 10] : [RISEN, END];
  const begin = performance.now();
  const replies = await closedLoop(pools[0]!, path, AT_ONCE, { seconds: end });
  await stop();
  const done = replies.filter(({ status, arrivedAt }) => status === 200 && arrivedAt < begin + 1000 * end);
  const early = done.filter(({ arrivedAt }) => arrivedAt < begin + 1000 * risen).length;
  return [early / risen, (done.length - early) / (end - risen)];
}
