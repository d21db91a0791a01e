// Starts server processes, and measures what requests cost them.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Pool } from 'undici';
import type { BenchContext } from './context.js';
import { closedLoop, get, type Path } from './load.js';
import type { AppSettings } from './server.js';
import type { Sample } from './statistics.js';

export type Server = Awaited<ReturnType<typeof startServer>>;

/** `pools` are the client's connections to each of the apps. */
export async function startServer(
  apps: readonly AppSettings[],
  { memoryDir }: BenchContext,
  env: NodeJS.ProcessEnv = {},
): Promise<{ apps: readonly AppSettings[]; pools: Pool[]; stop: () => Promise<void> }> {
  const file = fileURLToPath(new URL('server.ts', import.meta.url));
  const child = fork(file, [memoryDir, JSON.stringify(apps)], {
    // An idle process would otherwise discard compiled code while other processes are sampled.
    execArgv: ['--import', import.meta.resolve('tsx'), '--no-memory-reducer'],
    env: { ...process.env, ...env },
  });
  // `stop` removes this listener.
  child.once('exit', () => {
    throw new Error('A server process has ended early');
  });
  const [ports] = (await once(child, 'message')) as [number[]];
  return {
    apps,
    pools: ports.map((port) => new Pool(`http://127.0.0.1:${port}`, { keepAliveTimeout: 600_000 })),
    stop: async () => {
      child.removeAllListeners('exit');
      child.kill();
      await once(child, 'exit');
    },
  };
}

/**
 * Sends a number of requests, so that all contestants do the same work.
 *
 * @throws Error A reply was not 200.
 */
export async function takeSample(pool: Pool, path: Path, requests: number): Promise<Sample> {
  const readCpu = async (): Promise<number> => Number((await get(pool, '/cpu')).text);
  const [cpu, begin] = [await readCpu(), performance.now()];
  const replies = await closedLoop(pool, path, 16, { requests });
  const time = performance.now() - begin;
  const failed = replies.find(({ status }) => status !== 200);
  if (failed !== undefined) throw new Error(`Status ${failed.status}: ${failed.text}`);
  return { time: time / requests, cpu: ((await readCpu()) - cpu) / requests };
}
