// The client: requests that are sent one after the other on each of some connections, or at given times.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool } from 'undici';

/** The path of a request, by its number. */
export type Path = (index: number) => string;

export interface Reply {
  readonly status: number;
  /** The beginning of the body: all of a reply to a save. */
  readonly text: string;
  /** From the request to the end of the body, in milliseconds. */
  readonly latency: number;
  /** When the body ended, by `performance.now()`. */
  readonly arrivedAt: number;
}

export async function get(pool: Pool, path: string): Promise<Reply> {
  const begin = performance.now();
  const { statusCode: status, body } = await pool.request({ path, method: 'GET' });
  let text = '';
  // Putting a large image together would take the client longer than the server needs to send it.
  for await (const chunk of body as AsyncIterable<Buffer>)
    text += chunk.toString('latin1', 0, 1000 - text.length);
  const arrivedAt = performance.now();
  return { status, text, latency: arrivedAt - begin, arrivedAt };
}

/** Each connection sends its next request as soon as it has its reply, until the number or the time is reached. */
export async function closedLoop(
  pool: Pool,
  path: Path,
  connections: number,
  { requests = Infinity, seconds = Infinity }: { requests?: number; seconds?: number },
): Promise<Reply[]> {
  const replies: Promise<Reply>[] = [];
  const end = performance.now() + 1000 * seconds;
  const loop = async (): Promise<void> => {
    while (replies.length < requests && performance.now() < end) {
      const reply = get(pool, path(replies.length));
      replies.push(reply);
      await reply;
    }
  };
  await Promise.all(Array.from({ length: connections }, loop));
  return Promise.all(replies);
}

/** Sends requests at random times (a Poisson process), whether or not the replies to earlier ones have arrived. */
export async function openLoop(pool: Pool, path: Path, perSecond: number, seconds: number): Promise<Reply[]> {
  const replies: Promise<Reply>[] = [];
  const begin = performance.now();
  for (let at = 0; ;) {
    at += (-Math.log(1 - Math.random()) * 1000) / perSecond;
    if (at > 1000 * seconds) return Promise.all(replies);
    const wait = begin + at - performance.now();
    if (wait > 1) await sleep(wait);
    replies.push(get(pool, path(replies.length)));
  }
}
