// PNG: chunks up to IEND.
import { crc32 } from 'node:zlib';
import type { ByteReader } from '../byte-reader.js';
import { broken, incomplete } from '../refusals.js';
import type { PlainHeader } from '../types.js';

/** Reads the heads of chunks. (PNG 5.3: length, type, data, checksum.) */
async function* readChunks(reader: ByteReader, from: number): AsyncGenerator<{ type: string; end: number }> {
  for (let position = from; ;) {
    const head = await reader.read(position, 8);
    const length = head.readUInt32BE(0);
    const type = head.toString('latin1', 4);
    if (!/^[a-zA-Z]{4}$/.test(type) || length > 0x7fffffff) throw broken();
    position += 12 + length;
    yield { type, end: position };
  }
}

/** Walks a PNG up to IEND, the last chunk. (PNG 11.2.5.) */
export async function walkPng(reader: ByteReader): Promise<void> {
  for await (const { type, end } of readChunks(reader, 8)) {
    if (type !== 'IEND') continue;
    if (end > reader.length) throw incomplete();
    return;
  }
}

/** The bit depths of each colour type. (PNG 11.2.1.) */
const DEPTHS: readonly (readonly number[])[] = [
  [1, 2, 4, 8, 16],
  [],
  [8, 16],
  [1, 2, 4, 8],
  [8, 16],
  [],
  [8, 16],
];

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
