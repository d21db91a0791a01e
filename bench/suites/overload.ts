// Saves that arrive at a multiple of what the renderer can do, each with two seconds until its deadline.
import { createApp, type BenchContext, type Library } from '../context.js';
import { digits, milliseconds, percent, table } from '../format.js';
import { closedLoop, latencies, openLoop, type Reply } from '../load.js';
import { createFolder, createPath, ServerProcess } from '../server-process.js';
import { percentile } from '../statistics.js';

const FACTORS = [1, 2, 10];
const TIMEOUT_SECONDS = 2;

export async function overload(context: BenchContext): Promise<void> {
  const rows: string[][] = [];
  for (const library of context.libraries) {
    const seconds = context.quick ? 1 : 5;
    const replies = await withServer(library, context, (server, path) => render(server, path, seconds));
    const capacity = replies.length / seconds;
    rows.push([library.name, '8 at once', `${digits(capacity)} per second`, '', '', '', '']);
    for (const factor of FACTORS) {
      rows.push([library.name, `${factor} ×`, ...(await offer(factor, capacity, library, context))]);
    }
  }
  const head = ['', 'offered', 'done, of 8 at once', 'timed out', 'refused', 'refusal, p99', 'sendFile, p99'];
  context.print('### overload: saves behind a renderer, timeout=2000');
  context.print(table(head, rows));
}

type Path = (index: number) => string;

/** Uses a new server: renders whose save has timed out go on, and would slow down the next measurement. */
async function withServer<T>(
  library: Library,
  context: BenchContext,
  use: (server: ServerProcess, path: Path) => Promise<T>,
): Promise<T> {
  const apps = [createApp({ library: library.path }, 'default options', context)];
  const server = await ServerProcess.start({ apps, images: context.images });
  const path = createPath('scaled.jpg', createFolder(context.diskDir));
  await render(server, path, 1);
  const result = await use(server, path);
  await server.stop();
  return result;
}

/** Saves, 8 at once. */
function render(server: ServerProcess, path: Path, seconds: number): Promise<Reply[]> {
  const end = performance.now() + 1000 * seconds;
  return closedLoop(server.pool(0), { connections: 8, path, continues: () => performance.now() < end });
}

async function offer(
  factor: number,
  capacity: number,
  library: Library,
  context: BenchContext,
): Promise<string[]> {
  const measured = context.quick ? 1 : 6;
  // No save can time out in the first seconds, so they do not count.
  const seconds = TIMEOUT_SECONDS + measured;
  let begin = 0;
  const [saves, ordinary] = await withServer(library, context, (server, path) => {
    begin = performance.now();
    return Promise.all([
      openLoop(server.pool(0), {
        ...{ perSecond: factor * capacity, seconds },
        path: (index) => `${path(index)}&timeout=${1000 * TIMEOUT_SECONDS}`,
      }),
      openLoop(server.pool(0), { perSecond: 20, seconds, path: () => '/sent-file' }),
    ]);
  });
  const isCounted = (arrivedAfter: number): boolean =>
    arrivedAfter > 1000 * TIMEOUT_SECONDS && arrivedAfter <= 1000 * seconds;
  const counted = saves.filter(({ arrivedAt }) => isCounted(arrivedAt - begin));
  const having = (line: string): Reply[] => counted.filter(({ text }) => text.includes(line));
  const refused = having('error.code=too-busy');
  return [
    percent(having('status=done').length / (capacity * measured)),
    percent(having('status=timeout').length / counted.length),
    percent(refused.length / counted.length),
    ...[refused, ordinary].map((replies) => milliseconds(percentile(latencies(replies), 0.99))),
  ];
}
