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
  readonly settings: ServerSettings;
  readonly #child: ChildProcess;
  readonly #pools: readonly Pool[];

  private constructor(child: ChildProcess, settings: ServerSettings, ports: readonly number[]) {
    this.#child = child;
    this.settings = settings;
    this.#pools = ports.map((port) => new Pool(`http://127.0.0.1:${port}`, { keepAliveTimeout: 600_000 }));
  }

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
    return new ServerProcess(child, settings, await callChild(child, 'ports'));
  }

  /** The client's connections to an app, by its place in the settings. */
  pool(app: number): Pool {
    return this.#pools[app]!;
  }

  call<Name extends keyof Calls>(name: Name): Promise<Awaited<ReturnType<Calls[Name]>>> {
    return callChild(this.#child, name);
  }

  async stop(): Promise<void> {
    this.#child.removeAllListeners('exit');
    await Promise.all(this.#pools.map((pool) => pool.destroy()));
    const exited = once(this.#child, 'exit');
    this.#child.kill();
    await exited;
  }
}

async function callChild<Name extends keyof Calls>(
  child: ChildProcess,
  name: Name,
): Promise<Awaited<ReturnType<Calls[Name]>>> {
  child.send(name);
  const [{ result }] = (await once(child, 'message')) as [{ result: Awaited<ReturnType<Calls[Name]>> }];
  return result;
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
  if (folder !== undefined) {
    const file = server.settings.images[work.image];
    checkAndEmpty(
      join(options.savePath, folder),
      requests,
      file === undefined ? undefined : statSync(file).size,
    );
  }
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
function checkAndEmpty(dir: string, expected: number, bytes: number | undefined): void {
  const files = readdirSync(dir).map((name) => join(dir, name));
  const whole = files
    .map((file) => statSync(file).size)
    .filter((size) => size > 0 && size === (bytes ?? size));
  if (files.length !== expected || whole.length !== expected)
    throw new Error(`${dir} has ${whole.length} whole images in ${files.length} files, not ${expected}`);
  for (const file of files) truncateSync(file);
}
