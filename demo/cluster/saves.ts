// The client: sends saves until all are acknowledged, and then checks the objects in the bucket.

import { get } from 'node:http';
import { text } from 'node:stream/consumers';
import { parseReply } from '../../lib/index.js';
import { draw } from './app.js';
import type { BucketLocation } from './bucket.js';
import { readObject } from './s3.js';

/** Saves in progress at once. */
const CONCURRENCY = 16;
/** Attempts at one save until it is acknowledged. */
const MAX_ATTEMPTS = 10;
/** A killed process can leave a connection without a reply. */
const REPLY_TIMEOUT_MS = 10_000;

export class Saves {
  acknowledged = 0;
  /** Attempts without an acknowledgement, because a process was killed meanwhile. */
  interrupted = 0;
  /**
   * The pictures that each name may have: the last one acknowledged, or one whose save was interrupted. The store may
   * have received the latter, and may publish it at any time.
   */
  readonly #pictures = new Map<string, { acknowledged?: number; readonly interrupted: Set<number> }>();

  /**
   * Sends `count` saves: half of them under a name of their own, half under names that are saved repeatedly.
   *
   * @param afterEach Called after each acknowledged save.
   */
  async make(count: number, url: string, signal: AbortSignal, afterEach: () => Promise<void>): Promise<void> {
    await mapConcurrently(count, async (number, lane) => {
      const round = Math.floor(number / CONCURRENCY);
      const name = round % 2 === 0 ? `once-${number}.png` : `again-${lane}-${round % 3}.png`;
      await this.#save(name, number, url, signal);
      await afterEach();
    });
  }

  async #save(name: string, number: number, url: string, signal: AbortSignal): Promise<void> {
    const pictures = this.#pictures.get(name) ?? { interrupted: new Set() };
    this.#pictures.set(name, pictures);
    for (let attempt = 1; ; attempt += 1) {
      const failure = await saveOnce(`${url}/is/image/${number}?req=saveToFile&name=${name}`, signal);
      signal.throwIfAborted();
      if (failure === undefined) break;
      if (attempt === MAX_ATTEMPTS)
        throw new Error(`${name} was not saved in ${MAX_ATTEMPTS} attempts: ${failure}`);
      this.interrupted += 1;
      pictures.interrupted.add(number);
    }
    pictures.acknowledged = number;
    this.acknowledged += 1;
  }

  /** Reads every object. Returns the names without an object, and those whose object is none of the possible pictures. */
  async check({
    client,
    bucket,
    prefix,
  }: BucketLocation): Promise<{ checked: number; missing: string[]; broken: string[] }> {
    const missing: string[] = [];
    const broken: string[] = [];
    const all = [...this.#pictures];
    await mapConcurrently(all.length, async (index) => {
      const [name, { acknowledged, interrupted }] = all[index]!;
      const bytes = await readObject(client, bucket, prefix + name);
      const possible = [acknowledged!, ...interrupted];
      if (bytes === undefined) missing.push(name);
      else if (!(await Promise.all(possible.map(draw))).some((picture) => picture.equals(bytes)))
        broken.push(name);
    });
    return { checked: this.#pictures.size, missing, broken };
  }
}

/**
 * Calls a function with each number below `count`, at most {@link CONCURRENCY} at once. Calls with the same `lane` follow
 * one another.
 */
async function mapConcurrently(
  count: number,
  call: (number: number, lane: number) => Promise<void>,
): Promise<void> {
  const lanes = Array.from({ length: CONCURRENCY }, async (_, lane) => {
    for (let number = lane; number < count; number += CONCURRENCY) await call(number, lane);
  });
  await Promise.all(lanes);
}

/** Sends one command on a new connection. Returns the reason if the save is not acknowledged. */
async function saveOnce(url: string, signal: AbortSignal): Promise<string | undefined> {
  try {
    const body = await new Promise<string>((resolve, reject) => {
      const stop = AbortSignal.any([signal, AbortSignal.timeout(REPLY_TIMEOUT_MS)]);
      get(url, { agent: false, signal: stop }, (res) => {
        text(res).then(resolve, reject);
      }).on('error', reject);
    });
    const { status, error } = parseReply(body);
    return status === 'done' ? undefined : `${error?.code}: ${error?.message}`;
  } catch (error) {
    return String(error);
  }
}
