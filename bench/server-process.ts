// Starts server processes, calls them, and takes samples of the requests that they serve.
import { fork, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, statSync, truncateSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Pool } from 'undici';
import { closedLoop } from './load.js';
import type { Calls, ServerSettings } from './server.js';
import type { Sample } from './statistics.js';

export class ServerProcess {
  #pools: readonly Pool[] = [];

  private constructor(
    readonly settings: ServerSettings,
    private readonly child: ChildProcess,
  ) {}

  static async start(settings: ServerSettings, env: NodeJS.ProcessEnv = {}): Promise<ServerProcess> {
    const child = fork(fileURLToPath(new URL('server.ts', import.meta.url)), [JSON.stringify(settings)], {
      // An idle process would otherwise discard compiled code while other processes are sampled.
      execArgv: ['--import', import.meta.resolve('tsx'), '--expose-gc', '--no-memory-reducer'],
      env: { ...process.env, ...env },
    });
    // `stop` removes this listener.
    child.once('exit', () => {
      throw new Error('A server process has ended early');
    });
    const server = new ServerProcess(settings, child);
    const ports = await server.call('ports');
    server.#pools = ports.map((port) => new Pool(`http://127.0.0.1:${port}`, { keepAliveTimeout: 600_000 }));
    return server;
  }

  /** The client's connections to an app, by its place in the settings. */
  pool(app: number): Pool {
    return this.#pools[app]!;
  }

  async call<Name extends keyof Calls>(name: Name): Promise<Awaited<ReturnType<Calls[Name]>>> {
    this.child.send(name);
    const [{ result }] = (await once(this.child, 'message')) as [
      { result: Awaited<ReturnType<Calls[Name]>> },
    ];
    return result;
  }

  async stop(): Promise<void> {
    this.child.removeAllListeners('exit');
    await Promise.all(this.#pools.map((pool) => pool.destroy()));
    const exited = once(this.child, 'exit');
    this.child.kill();
    await exited;
  }
}

/** The work of one sample: a number of requests, so that all contestants do the same. */
export interface Work {
  /** The requested path. */
  readonly image: string;
  readonly requests: number;
  readonly connections: number;
  /** `false`: ordinary requests, also to an app that could save. */
  readonly save?: boolean;
}

/** @throws Error A reply was not 200, or not every image is in its file, whole. */
export async function takeSample(server: ServerProcess, app: number, work: Work): Promise<Sample> {
  const { saves, options } = server.settings.apps[app]!;
  const folder =
    saves === 'plain delivery' || work.save === false ? undefined : createFolder(options.savePath);
  const path = createPath(work.image, folder);
  // Flushes the disk, so that this sample does not pay for the writes of the one before.
  spawnSync('sync', ['-f', options.savePath]);
  const cpuBefore = await server.call('cpu');
  const begin = performance.now();
  const { requests, connections } = work;
  await closedLoop(server.pool(app), { connections, path, continues: (sent) => sent < requests });
  const time = 1000 * (performance.now() - begin);
  const cpu = (await server.call('cpu')) - cpuBefore;
  const file = server.settings.images[work.image];
  if (folder !== undefined) checkAndEmpty(join(options.savePath, folder), requests, file);
  return { time: time / requests, cpu: cpu / requests };
}

/** The path of a request, by its number: one that saves into the folder, if there is one. */
export function createPath(image: string, folder: string | undefined): (index: number) => string {
  if (folder === undefined) return () => `/${image}?wid=800`;
  return (index) => `/${image}?wid=800&req=saveToFile&name=${folder}/${index}${extname(image)}`;
}

let folders = 0;

/** A new folder in the save path: on ext4, a folder from which files were deleted is slow. */
export function createFolder(savePath: string): string {
  const name = `sample-${folders++}`;
  mkdirSync(join(savePath, name));
  return name;
}

/** Files are emptied rather than deleted: on ext4, deleting makes later creations several times slower. */
function checkAndEmpty(dir: string, expected: number, original: string | undefined): void {
  const files = readdirSync(dir).map((name) => join(dir, name));
  const bytes = original === undefined ? undefined : statSync(original).size;
  const whole = files.map((file) => statSync(file).size).filter((size) => size === (bytes ?? (size || NaN)));
  if (files.length !== expected || whole.length !== expected)
    throw new Error(`${dir} has ${whole.length} whole images in ${files.length} files, not ${expected}`);
  for (const file of files) truncateSync(file);
}
