// The looks at URLs and at images, called as they are, in a process of their own.
import { open, readFile, type FileHandle } from 'node:fs/promises';
import sharp from 'sharp';
import { mightBeSaveCommand } from '../dist/protocol/parse-command.js';
import type { ImageBytes } from '../dist/image/types.js';
import { inspectImage } from '../dist/image/inspect.js';
import { answer } from './helper.js';
import type { Slice } from './rounds.js';

/** A way to look at an image. */
export type Look = 'pixels' | 'header' | 'metadata' | 'decode' | 'stats';

/** So many looks at a file: at its bytes in memory, or by its path. */
export interface Looking {
  readonly look: Look;
  readonly file: string;
  readonly times: number;
  readonly byPath?: boolean;
}

const inspect = async (bytes: ImageBytes, verify: 'pixels' | 'header'): Promise<unknown> =>
  inspectImage(bytes, { verify, maxPixels: Number.MAX_SAFE_INTEGER });

const sharpInput = (bytes: ImageBytes): Buffer | string => (Buffer.isBuffer(bytes) ? bytes : bytes.path);
const unlimited = { limitInputPixels: false };

const LOOKS: Record<Look, (bytes: ImageBytes) => Promise<unknown>> = {
  pixels: (bytes) => inspect(bytes, 'pixels'),
  header: (bytes) => inspect(bytes, 'header'),
  metadata: (bytes) => sharp(sharpInput(bytes), unlimited).metadata(),
  decode: (bytes) => sharp(sharpInput(bytes), unlimited).raw().toBuffer(),
  stats: (bytes) => sharp(sharpInput(bytes), unlimited).stats(),
};

const loaded = new Map<string, Buffer>();

async function bytesOf({ file, byPath }: Looking): Promise<{ bytes: ImageBytes; handle?: FileHandle }> {
  if (byPath === true) {
    const handle = await open(file);
    const read = async (buffer: Uint8Array, position: number): Promise<number> =>
      (await handle.read(buffer, 0, buffer.byteLength, position)).bytesRead;
    return { bytes: { path: file, length: (await handle.stat()).size, read }, handle };
  }
  const bytes = loaded.get(file) ?? (await readFile(file));
  loaded.set(file, bytes);
  return { bytes };
}

// Several, so that the compiler cannot take the answer for known; the query has 60 characters.
const urls = Array.from(
  { length: 64 },
  (_, index) =>
    `/is/image/shop/shoe-${index}?wid=800&hei=600&fmt=jpeg&qlt=85,1&op_sharpen=1&resMode=sharp${index % 10}`,
);

/** How long so many looks take, with the loop around them, in nanoseconds. */
function looks(times: number): number {
  let found = 0;
  const begin = process.hrtime.bigint();
  for (let index = 0; index < times; index++) if (mightBeSaveCommand(urls[index & 63] ?? '')) found++;
  const took = Number(process.hrtime.bigint() - begin);
  if (found > 0) throw new Error('No command is in these URLs');
  return took;
}

/** How long the same loop takes that only takes up each URL. */
function emptyLoop(times: number): number {
  let found = 0;
  const begin = process.hrtime.bigint();
  for (let index = 0; index < times; index++) if ((urls[index & 63] ?? '') === '') found++;
  const took = Number(process.hrtime.bigint() - begin);
  if (found > 0) throw new Error('None of these URLs is empty');
  return took;
}

answer({
  /** Nanoseconds for one look at one URL, without the loop around it. */
  look: ({ times }: { times: number }) => (looks(times) - emptyLoop(times)) / times,
  /** Looks one after the other. */
  check: async (looking: Looking): Promise<Slice> => {
    const { bytes, handle } = await bytesOf(looking);
    const cpu = process.cpuUsage();
    const begin = process.hrtime.bigint();
    for (let index = 0; index < looking.times; index++) await LOOKS[looking.look](bytes);
    const wall = Number(process.hrtime.bigint() - begin) / 1000;
    const { user, system } = process.cpuUsage(cpu);
    await handle?.close();
    return { wall: wall / looking.times, cpu: (user + system) / looking.times };
  },
});
