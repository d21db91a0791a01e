// The client: requests that are sent one after the other on each of some connections, or at given times.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool } from 'undici';

export interface Reply {
  readonly status: number;
  /** The beginning of the body: all of a reply to a save. */
  readonly text: string;
  /** From the request to the end of the body. */
  readonly milliseconds: number;
  /** When the body ended, by `performance.now()`. */
  readonly arrivedAt: number;
}

/** In milliseconds. */
export function latencies(replies: readonly Reply[]): number[] {
  return replies.map(({ milliseconds }) => milliseconds);
}

const MAX_TEXT_BYTES = 1000;

/** Sends a GET request, and keeps only the beginning of the body. */
export function get(pool: Pool, path: string): Promise<Reply> {
  const begin = performance.now();
  let [status, text] = [0, ''];
  return new Promise((resolve, reject) => {
    pool.dispatch(
      { path, method: 'GET' },
      {
        onRequestStart: () => undefined,
        onResponseStart: (_controller, statusCode) => {
          status = statusCode;
        },
        onResponseData: (_controller, chunk) => {
          if (text.length < MAX_TEXT_BYTES) text += chunk.toString('latin1', 0, MAX_TEXT_BYTES - text.length);
        },
        onResponseEnd: () => {
          const arrivedAt = performance.now();
          resolve({ status, text, milliseconds: arrivedAt - begin, arrivedAt });
        },
        onResponseError: (_controller, error) => {
          reject(error);
        },
      },
    );
  });
}

/**
 * Each connection sends its next request as soon as it has its reply.
 *
 * @returns The replies, in the order in which they arrived.
 * @throws Error A reply whose status is not 200.
 */
export async function closedLoop(
  pool: Pool,
  load: {
    readonly connections: number;
    readonly path: (index: number) => string;
    readonly continues: (sent: number) => boolean;
  },
): Promise<Reply[]> {
  const replies: Reply[] = [];
  let sent = 0;
  await Promise.all(
    Array.from({ length: load.connections }, async () => {
      while (load.continues(sent)) {
        const reply = await get(pool, load.path(sent++));
        if (reply.status !== 200) throw new Error(`Status ${reply.status}: ${reply.text}`);
        replies.push(reply);
      }
    }),
  );
  return replies;
}

/** Sends requests at random times (a Poisson process), whether or not the replies to earlier ones have arrived. */
export async function openLoop(
  pool: Pool,
  load: { readonly perSecond: number; readonly seconds: number; readonly path: (index: number) => string },
): Promise<Reply[]> {
  const replies: Promise<Reply>[] = [];
  const begin = performance.now();
  for (let at = 0; ;) {
    at += (-Math.log(1 - Math.random()) * 1000) / load.perSecond;
    if (at > 1000 * load.seconds) return Promise.all(replies);
    const wait = begin + at - performance.now();
    if (wait > 1) await sleep(wait);
    replies.push(get(pool, load.path(replies.length)));
  }
}
