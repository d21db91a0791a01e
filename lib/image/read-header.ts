// The header of a JPEG or PNG, read without the image library: a hundredth of the work, and all that most saves need.
import { SaveError } from '../errors.js';
import type { ImageFormat } from './formats.js';
import type { ImageBytes } from './types.js';
import { ByteReader } from './byte-reader.js';

/** What the header of an image of one page says. */
export interface FastHeader {
  readonly width: number;
  readonly height: number;
  /** Whether the image comes in several passes, each finer than the one before: progressive or interlaced. */
  readonly isProgressive: boolean;
}

/**
 * Reads the header of an image of a known format up to its coded pixels.
 *
 * @returns Undefined where there is the least doubt, and for formats whose pages have to be counted: then it is for
 * the image library to say what the image is, and whether it is one.
 */
export async function readHeaderFast(
  format: ImageFormat,
  bytes: ImageBytes,
): Promise<FastHeader | undefined> {
  if (format !== 'jpeg' && format !== 'png') return undefined;
  try {
    const reader = new ByteReader(bytes);
    return await (format === 'jpeg' ? jpegHeader(reader) : pngHeader(reader));
  } catch (error) {
    if (error instanceof SaveError) return undefined;
    throw error;
  }
}

// ITU-T T.81 B.1.1.3, B.2.2 and B.2.3: marker segments, one of them the frame's, up to the start of the first scan.
async function jpegHeader(reader: ByteReader): Promise<FastHeader | undefined> {
  const [SOF0, SOF2, SOS] = [0xc0, 0xc2, 0xda];
  const isSkippableSegment = (code: number): boolean =>
    code === 0xc4 || (code >= 0xdb && code <= 0xdd) || code >= 0xe0;
  let header: FastHeader | undefined;
  for (let at = 2; ;) {
    let index = reader.indexInWindow(at, 4);
    if (index === -1) index = await reader.loadWindow(at, 4);
    const code = reader.window.readUInt8(index + 1);
    const length = reader.window.readUInt16BE(index + 2);
    if (reader.window.readUInt8(index) !== 0xff || length < 2) return undefined;
    if (code === SOS) return header;
    if (code >= SOF0 && code <= SOF2) {
      if (header !== undefined || length < 11) return undefined;
      const frame = await reader.read(at + 4, 6);
      const [precision, components] = [frame.readUInt8(0), frame.readUInt8(5)];
      header = {
        height: frame.readUInt16BE(1),
        width: frame.readUInt16BE(3),
        isProgressive: code === SOF2,
      };
      // Other precisions and components exist; a height of 0 is told after the first scan.
      const isSupported = precision === 8 && [1, 3, 4].includes(components) && length === 8 + 3 * components;
      if (!isSupported || header.width * header.height === 0) return undefined;
    } else if (!isSkippableSegment(code)) {
      return undefined;
    }
    at += 2 + length;
  }
}

/** PNG 11.2.1: the colour types, and the bit depths that each may have. */
const DEPTHS: readonly (readonly number[])[] = [
  [1, 2, 4, 8, 16],
  [],
  [8, 16],
  [1, 2, 4, 8],
  [8, 16],
  [],
  [8, 16],
];

// PNG 5.3 and 11.2.1: the first chunk is IHDR; IDAT has the pixels.
async function pngHeader(reader: ByteReader): Promise<FastHeader | undefined> {
  const chunk = await reader.read(8, 25);
  const [width, height] = [chunk.readUInt32BE(8), chunk.readUInt32BE(12)];
  const [depth, colour, compression, filter, interlace] = [...chunk.subarray(16, 21)];
  const isSupported =
    chunk.toString('latin1', 0, 8) === '\0\0\0\rIHDR' &&
    crc32(chunk.subarray(4, 21)) === chunk.readUInt32BE(21) &&
    width * height > 0 &&
    Math.max(width, height) <= 0x7fffffff &&
    DEPTHS[colour ?? 1]?.includes(depth ?? 0) === true &&
    compression === 0 &&
    filter === 0 &&
    (interlace === 0 || interlace === 1);
  if (!isSupported) return undefined;
  for (let at = 33; ;) {
    const head = await reader.read(at, 8);
    const type = head.toString('latin1', 4);
    if (type === 'IDAT') return { width, height, isProgressive: interlace === 1 };
    if (!/^[a-zA-Z]{4}$/.test(type) || type === 'IEND' || type === 'IHDR') return undefined;
    at += 12 + head.readUInt32BE(0);
  }
}

/** PNG annex D, bit by bit: the few bytes of a header need no table. Node has it built in from 20.15 only. */
function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}
