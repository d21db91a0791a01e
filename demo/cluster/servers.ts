// The server processes, which share one port. A new process replaces each one that is killed.

import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';

export class Servers {
  killed = 0;
  /** Aborts when the demo stops, or when a process ends by itself. */
  readonly #signal: AbortSignal;
  /** The processes that accept connections, the oldest first. */
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

  /** Starts `count` processes. Resolves when all of them accept connections. */
  static async start(count: number, stop: AbortController): Promise<{ servers: Servers; url: string }> {
    // Each process accepts connections itself: a connection handed to a process that is being killed would be lost.
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

  /** Kills the oldest process with its saves in progress, once another process accepts connections. */
  async kill(): Promise<void> {
    while (this.#serving.length < 2) await once(cluster, 'listening', { signal: this.#signal });
    this.#serving.shift()!.process.kill('SIGKILL');
    this.killed += 1;
  }

  /** Ends all processes. */
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
