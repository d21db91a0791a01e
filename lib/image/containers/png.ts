// PNG: chunks up to IEND, with those of an animation.
import { crc32 } from 'node:zlib';
import type { SaveError } from '../../errors.js';
import { MAX_READ_BYTES, type ByteReader } from '../byte-reader.js';
import { broken, incomplete } from '../refusals.js';
import type { PlainHeader } from '../types.js';

interface Chunk {
  readonly type: string;
  readonly from: number;
  /** The position behind the checksum. */
  readonly end: number;
}

/** Reads the heads of chunks. (PNG 5.3: length, type, data, checksum.) */
async function* readChunks(reader: ByteReader, from: number): AsyncGenerator<Chunk> {
  for (let position = from; ;) {
    const head = await reader.read(position, 8);
    const length = head.readUInt32BE(0);
    const type = head.toString('latin1', 4);
    if (!/^[a-zA-Z]{4}$/.test(type) || length > 0x7fffffff) throw broken();
    const end = position + 12 + length;
    yield { type, from: position, end };
    position = end;
  }
}

/**
 * Walks a PNG up to IEND, the last chunk. (PNG 11.2.5.) If it is animated, no decoder here looks at its other frames:
 * all that acTL announces must be there, each fcTL with its data, numbered without gaps. (PNG 4.9 and 11.3.4.)
 */
export async function walkPng(reader: ByteReader): Promise<void> {
  let announced: number | undefined;
  let [frames, sequence] = [0, 0];
  let hasImage = false;
  /** The type of the data that the last fcTL lacks. */
  let missing: string | undefined;
  /** The first fault of the animation. Without acTL, its chunks mean nothing. */
  let fault: SaveError | undefined;
  for await (const chunk of readChunks(reader, 8)) {
    const { type, from, end } = chunk;
    if (type === 'IEND') {
      if (end > reader.length) throw incomplete();
      break;
    }
    if (type === 'IDAT') {
      hasImage = true;
      if (missing === type) missing = undefined;
    } else if (type === 'acTL' && !hasImage && end - from >= 20) {
      announced ??= await reader.uint(from + 8, 4);
      if (!(await isIntact(reader, chunk))) fault ??= broken();
    } else if (type === 'fcTL' || (type === 'fdAT' && announced !== undefined)) {
      const number = await reader.uint(from + 8, 4);
      if (!(await isIntact(reader, chunk))) fault ??= broken();
      if (number !== sequence || (type === 'fcTL' && missing !== undefined)) fault ??= incomplete();
      sequence += 1;
      if (type === 'fcTL') {
        frames += 1;
        missing = hasImage ? 'fdAT' : 'IDAT';
      } else if (missing === type && end - from > 16) {
        missing = undefined;
      }
    }
  }
  if (announced === undefined) return;
  if (fault !== undefined) throw fault;
  // Other numbers than these are no announcement: ffmpeg writes 2^32 - 1 into a pipe. (PNG 7.1.)
  const isKnown = announced > 0 && announced <= 0x7fffffff;
  if (missing !== undefined || (isKnown && frames < announced)) throw incomplete();
  if (isKnown && frames > announced) throw broken();
}

/** Whether the checksum of a chunk is right. It is that of type and data. (PNG 5.3.) */
async function isIntact(reader: ByteReader, { from, end }: Chunk): Promise<boolean> {
  let checksum = 0;
  for (let position = from + 4; position < end - 4; position += MAX_READ_BYTES)
    checksum = crc32(await reader.read(position, Math.min(MAX_READ_BYTES, end - 4 - position)), checksum);
  return checksum === (await reader.uint(end - 4, 4));
}

/** The bit depths of each colour type. (PNG 11.2.1.) */
const DEPTHS: Record<number, number[]> = {
  0: [1, 2, 4, 8, 16],
  2: [8, 16],
  3: [1, 2, 4, 8],
  4: [8, 16],
  6: [8, 16],
};

/** Reads IHDR, which is the first chunk, and skips others up to IDAT, which has the pixels. (PNG 5.3 and 11.2.1.) */
export async function readPngHeader(reader: ByteReader): Promise<PlainHeader | undefined> {
  const chunk = await reader.read(8, 25);
  const [width, height] = [chunk.readUInt32BE(8), chunk.readUInt32BE(12)];
  const [depth = 0, colour = 1, compression, filter, interlace = 2] = [...chunk.subarray(16, 21)];
  const isSupported =
    chunk.toString('latin1', 0, 8) === '\0\0\0\rIHDR' &&
    crc32(chunk.subarray(4, 21)) === chunk.readUInt32BE(21) &&
    width * height > 0 &&
    Math.max(width, height) <= 0x7fffffff &&
    DEPTHS[colour]?.includes(depth) === true &&
    compression === 0 &&
    filter === 0 &&
    interlace <= 1;
  if (!isSupported) return undefined;
  for await (const { type } of readChunks(reader, 33)) {
    if (type === 'IDAT') return { width, height, isProgressive: interlace === 1 };
    if (type === 'IEND' || type === 'IHDR') return undefined;
  }
  return undefined;
}
