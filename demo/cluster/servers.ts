// The processes behind one port: each one that is killed is followed by a new one.

import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';

export class Servers {
  killed = 0;
  /** Aborts when they have been stopped, or when one of them has ended by itself. */
  readonly #signal: AbortSignal;
  /** Those that accept connections, the longest at it first. */
  readonly #serving: Worker[] = [];

  private constructor(stop: AbortController) {
    this.#signal = stop.signal;
    cluster.on('listening', (worker) => {
      this.#serving.push(worker);
    });
    cluster.on('exit', (_worker, code, signal) => {
      if (this.#signal.aborted) return;
      if (signal === 'SIGKILL') cluster.fork();
      else stop.abort(new Error(`A process ended by itself, with ${signal || code}`));
    });
  }

  /** Starts some processes, and returns them and their URL when all of them serve. */
  static async start(count: number, stop: AbortController): Promise<{ servers: Servers; url: string }> {
    // They accept connections themselves: one that is handed to a process which is killed just then would be lost.
    cluster.schedulingPolicy = cluster.SCHED_NONE;
    const servers = new Servers(stop);
    for (let started = 0; started < count; started += 1) cluster.fork();
    let port = 0;
    while (servers.#serving.length < count) {
      const [, address] = (await once(cluster, 'listening', { signal: stop.signal })) as [
        Worker,
        AddressInfo,
      ];
      port = address.port;
    }
    return { servers, url: `http://127.0.0.1:${port}` };
  }

  /** Kills one as the system would, with the saves that it is at; as soon as another one serves beside it. */
  async kill(): Promise<void> {
    while (this.#serving.length < 2) await once(cluster, 'listening', { signal: this.#signal });
    this.#serving.shift()!.process.kill('SIGKILL');
    this.killed += 1;
  }

  /** Ends all of them. */
  static async stop(): Promise<void> {
    const ending = Object.values(cluster.workers ?? {}).map(async (worker) => {
      if (worker!.isDead()) return;
      const ended = once(worker!, 'exit');
      worker!.process.kill('SIGKILL');
      await ended;
    });
    await Promise.all(ending);
  }
}
