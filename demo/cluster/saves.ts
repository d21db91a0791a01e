// The client: makes saves until all of them are acknowledged, and looks afterwards what is in the bucket.

import { get } from 'node:http';
import { text } from 'node:stream/consumers';
import { GetObjectCommand } from '@aws-sdk/client-s3';
import { parseReply } from '../../lib/index.js';
import { draw } from './app.js';
import type { PlaceInStore } from './bucket.js';

/** How many saves are under way at a time. Each has names of its own. */
const LANES = 16;
/** How often a save is tried that is not acknowledged. */
const TRIES = 10;
/** How long an answer is waited for, in milliseconds: a connection can be lost with the process that should take it. */
const PATIENCE = 10_000;

export class Saves {
  acknowledged = 0;
  /** Tries that were not acknowledged, because a process was killed meanwhile. */
  brokenOff = 0;
  /**
   * The pictures that may be under each name: the one that was acknowledged last, and those whose saving broke off:
   * the store may have got them all the same, at any time.
   */
  readonly #pictures = new Map<string, { acknowledged?: number; readonly brokenOff: Set<number> }>();

  /**
   * Makes so many saves, half of them under a name of their own, half under names that are saved over and over.
   *
   * @param afterEach Called after each acknowledged save.
   */
  async make(count: number, url: string, signal: AbortSignal, afterEach: () => Promise<void>): Promise<void> {
    await inLanes(count, async (number, lane) => {
      const round = Math.floor(number / LANES);
      const name = round % 2 === 0 ? `once-${number}.png` : `again-${lane}-${round % 3}.png`;
      await this.#save(name, number, url, signal);
      await afterEach();
    });
  }

  async #save(name: string, number: number, url: string, signal: AbortSignal): Promise<void> {
    const pictures = this.#pictures.get(name) ?? { brokenOff: new Set() };
    this.#pictures.set(name, pictures);
    for (let attempt = 1; ; attempt += 1) {
      const failure = await saveOnce(`${url}/is/image/${number}?req=saveToFile&name=${name}`, signal);
      signal.throwIfAborted();
      if (failure === undefined) break;
      if (attempt === TRIES) throw new Error(`${name} was not saved in ${TRIES} tries: ${failure}`);
      this.brokenOff += 1;
      pictures.brokenOff.add(number);
    }
    pictures.acknowledged = number;
    this.acknowledged += 1;
  }

  /** Reads everything back. Returns the names that have no object, and those whose object is another or not whole. */
  async check(place: PlaceInStore): Promise<{ checked: number; missing: string[]; broken: string[] }> {
    const missing: string[] = [];
    const broken: string[] = [];
    const all = [...this.#pictures];
    await inLanes(all.length, async (index) => {
      const [name, { acknowledged, brokenOff }] = all[index]!;
      const bytes = await read(place, name);
      const possible = [acknowledged!, ...brokenOff];
      if (bytes === undefined) missing.push(name);
      else if (!(await Promise.all(possible.map(draw))).some((picture) => picture.equals(bytes)))
        broken.push(name);
    });
    return { checked: this.#pictures.size, missing, broken };
  }
}

/** Does something with each number below this one, in lanes side by side. */
async function inLanes(count: number, work: (number: number, lane: number) => Promise<void>): Promise<void> {
  const lanes = Array.from({ length: LANES }, async (_, lane) => {
    for (let number = lane; number < count; number += LANES) await work(number, lane);
  });
  await Promise.all(lanes);
}

/** Sends the command, on a connection of its own. Returns why the save was not acknowledged, if it was not. */
async function saveOnce(url: string, signal: AbortSignal): Promise<string | undefined> {
  try {
    const body = await new Promise<string>((resolve, reject) => {
      const stop = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE)]);
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

async function read({ client, bucket, prefix }: PlaceInStore, name: string): Promise<Buffer | undefined> {
  try {
    const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: prefix + name }));
    return Buffer.from(await Body!.transformToByteArray());
  } catch (error) {
    if ((error as Error).name === 'NoSuchKey') return undefined;
    throw error;
  }
}
