// The header of a JPEG or PNG, read without the image library: a hundredth of the work, and enough for most images.
import { crc32 } from 'node:zlib';
import type { ImageBytes } from '../bytes/image-bytes.js';
import { SaveError } from '../errors.js';
import type { ImageFormat } from './formats.js';
import { ByteReader } from './byte-reader.js';

/** The header of an image of one page. */
export interface FastHeader {
  readonly width: number;
  readonly height: number;
  /** Whether the image comes in several passes, each finer than the one before: progressive or interlaced. */
  readonly isProgressive: boolean;
}

/**
 * Reads the header of an image of a known format up to its coded pixels.
 *
 * The result is what the decoders (libjpeg, libpng) read from the same bytes, unless they refuse the image.
 *
 * @param signal Stops the search when it next yields to the event loop, with the signal's reason.
 * @returns Undefined for anything unusual or damaged, and for formats whose pages have to be counted: then the image
 * library must read the header.
 */
export async function readHeaderFast(
  format: ImageFormat,
  bytes: ImageBytes,
  signal?: AbortSignal,
): Promise<FastHeader | undefined> {
  if (format !== 'jpeg' && format !== 'png') return undefined;
  try {
    const reader = new ByteReader(bytes, signal);
    return await (format === 'jpeg' ? readJpegHeader(reader) : readPngHeader(reader));
  } catch (error) {
    if (error instanceof SaveError) return undefined;
    throw error;
  }
}

const SOF0 = 0xc0;
const SOF2 = 0xc2;
const SOS = 0xda;
const FILL_BYTE = 0xff;

/** A frame header and its number of components. */
interface JpegFrame extends FastHeader {
  readonly components: number;
}

/** Reads marker segments, the frame's among them, up to the first scan. (ITU-T T.81 B.1.1.3, B.2.2 and B.2.3.) */
async function readJpegHeader(reader: ByteReader): Promise<FastHeader | undefined> {
  let frame: JpegFrame | undefined;
  for (let at = 2; ;) {
    let index = reader.indexInWindow(at, 4);
    if (index === -1) index = await reader.loadWindow(at, 4);
    const code = reader.window.readUInt8(index + 1);
    const length = reader.window.readUInt16BE(index + 2);
    if (reader.window.readUInt8(index) !== 0xff) return undefined;
    if (code === FILL_BYTE) {
      // Any number of fill bytes may precede the code of a marker. (T.81 B.1.1.2.)
      at += 1;
      continue;
    }
    if (code === SOS) return await readFirstScan(reader, at, length, frame);
    if (code >= SOF0 && code <= SOF2) {
      if (frame !== undefined) return undefined;
      frame = await readFrame(reader, at, length, code === SOF2);
      if (frame === undefined) return undefined;
    } else if (!isSkippableSegment(code) || length < 2) {
      return undefined;
    }
    at += 2 + length;
  }
}

/** Whether a marker begins a segment of tables (DHT, DQT, DRI), of an application (APPn), or a comment (COM). */
function isSkippableSegment(code: number): boolean {
  return code === 0xc4 || code === 0xdb || code === 0xdd || (code >= 0xe0 && code <= 0xef) || code === 0xfe;
}

async function readFrame(
  reader: ByteReader,
  at: number,
  length: number,
  isProgressive: boolean,
): Promise<JpegFrame | undefined> {
  const bytes = await reader.read(at + 4, 6);
  const [precision, components] = [bytes.readUInt8(0), bytes.readUInt8(5)];
  const [height, width] = [bytes.readUInt16BE(1), bytes.readUInt16BE(3)];
  // Other precisions and components exist. A height of 0 means that a DNL segment has it, after the first scan.
  const isSupported = precision === 8 && [1, 3, 4].includes(components) && length === 8 + 3 * components;
  return isSupported && width * height > 0 ? { width, height, isProgressive, components } : undefined;
}

/** Leaves an image whose first scan lacks a component to libjpeg, which takes it for progressive. */
async function readFirstScan(
  reader: ByteReader,
  at: number,
  length: number,
  frame: JpegFrame | undefined,
): Promise<FastHeader | undefined> {
  if (frame === undefined) return undefined;
  const { width, height, isProgressive, components } = frame;
  const scanned = (await reader.read(at + 4, 1)).readUInt8(0);
  if (length !== 6 + 2 * scanned || (!isProgressive && scanned !== components)) return undefined;
  return { width, height, isProgressive };
}

/** The colour types, and the bit depths of each. (PNG 11.2.1.) */
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
async function readPngHeader(reader: ByteReader): Promise<FastHeader | undefined> {
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
