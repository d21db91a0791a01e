// Saves and ordinary requests at once, on a new server.
import { createApp, type BenchContext } from './context.js';
import { closedLoop, openLoop, type Path, type Reply } from './load.js';
import { createFolder } from './saved-files.js';
import { startServer } from './server-process.js';
import type { Contestant } from './server.js';

/** The deadline of each save. No save can time out before it, so what arrives until then does not count. */
const TIMEOUT_SECONDS = 2;

/**
 * Sends saves with the default options and, beside them, 50 requests per second that are answered by `sendFile`.
 *
 * @param load So many saves at once, or saves at a rate.
 * @returns The latencies of the ordinary requests are in milliseconds.
 */
export async function sendMixed(
  library: Contestant,
  image: string,
  load: { readonly atOnce: number } | { readonly perSecond: number },
  context: BenchContext,
  env?: NodeJS.ProcessEnv,
): Promise<{ saves: Reply[]; savedPerSecond: number; ordinary: number[] }> {
  const { pools, stop } = await startServer([createApp(library, 'default options', context)], context, env);
  const pool = pools[0]!;
  const folder = createFolder(context.diskDir, image);
  const path: Path = (index) => `${folder.path(index)}&timeout=${1000 * TIMEOUT_SECONDS}`;
  await closedLoop(pool, path, 8, { seconds: 1 });
  const counted = context.quick ? 1 : 6;
  const [begin, seconds] = [performance.now() + 1000 * TIMEOUT_SECONDS, TIMEOUT_SECONDS + counted];
  const sent = [
    'atOnce' in load
      ? closedLoop(pool, path, load.atOnce, { seconds })
      : openLoop(pool, path, load.perSecond, seconds),
    openLoop(pool, () => '/sent-file', 50, seconds),
  ];
  const [saves = [], ordinary = []] = (await Promise.all(sent)).map((replies) =>
    replies.filter(({ arrivedAt }) => arrivedAt >= begin && arrivedAt < begin + 1000 * counted),
  );
  await stop();
  const savedPerSecond = saves.filter(({ status }) => status === 200).length / counted;
  return { saves, savedPerSecond, ordinary: ordinary.map(({ latency }) => latency) };
}
