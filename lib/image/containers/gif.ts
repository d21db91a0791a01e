// GIF: images and extensions, up to the trailer, and the pixels that the compressed data of an image stand for.
import type { ByteReader } from '../byte-reader.js';
import { broken, incomplete } from '../refusals.js';

const IMAGE = 0x2c;
const EXTENSION = 0x21;
const TRAILER = 0x3b;
/** Some encoders write a block terminator too many, and every decoder skips it. */
const STRAY_TERMINATOR = 0x00;
const MAX_SURPLUS_BYTES = 4;

/** Walks a GIF up to its trailer. The pixels are counted, because decoders accept an image with too few. */
export const walkGif = (reader: ByteReader): Promise<void> =>
  walkBlocks(reader, (from) => walkImage(reader, from));

/** The pixels of all frames of a GIF, each as large as the screen or the largest frame. */
export async function countGifPixels(reader: ByteReader): Promise<number> {
  const screen = await reader.read(0, 13);
  let [width, height] = [screen.readUInt16LE(6), screen.readUInt16LE(8)];
  let frames = 0;
  await walkBlocks(reader, async (from) => {
    const descriptor = await reader.read(from, 10);
    frames += 1;
    width = Math.max(width, descriptor.readUInt16LE(1) + descriptor.readUInt16LE(5));
    height = Math.max(height, descriptor.readUInt16LE(3) + descriptor.readUInt16LE(7));
    return walkSubBlocks(reader, from + 11 + getColourTableLength(descriptor.readUInt8(9)));
  });
  return width * height * frames;
}

/**
 * Walks the images and extensions of a GIF. (GIF89a appendix B.)
 *
 * @param pass Gets the position of each image, and returns the position behind it.
 */
async function walkBlocks(reader: ByteReader, pass: (from: number) => Promise<number>): Promise<void> {
  let position = 13 + getColourTableLength((await reader.read(0, 13)).readUInt8(10));
  for (;;) {
    const introducer = await reader.uint(position, 1);
    if (introducer === TRAILER) return;
    if (introducer === IMAGE) {
      position = await pass(position);
    } else if (introducer === EXTENSION) {
      position = await walkSubBlocks(reader, position + 2);
    } else if (introducer === STRAY_TERMINATOR) {
      position += 1;
    } else {
      // A few bytes before the trailer at the end of the file, which decoders take for the end too.
      const last = reader.length - 1;
      if (last - position > MAX_SURPLUS_BYTES || (await reader.uint(last, 1)) !== TRAILER) throw broken();
      return;
    }
  }
}

/** Returns the position behind an image. (GIF89a 20 and 22.) */
async function walkImage(reader: ByteReader, from: number): Promise<number> {
  const descriptor = await reader.read(from, 10);
  const pixels = descriptor.readUInt16LE(5) * descriptor.readUInt16LE(7);
  const data = from + 11 + getColourTableLength(descriptor.readUInt8(9));
  const counter = new LzwPixelCounter(await reader.uint(data - 1, 1));
  const position = await walkSubBlocks(reader, data, counter.add.bind(counter));
  // The blank images of trackers and maps are one pixel without any data: nothing of it can have been cut.
  const isBlank = pixels === 1 && position === data + 1;
  if (counter.pixels < pixels && !isBlank) throw incomplete();
  return position;
}

/** The length in bytes of the colour table that the packed fields of a screen or image announce. (GIF89a 18, 20.) */
function getColourTableLength(packed: number): number {
  return packed & 0x80 ? 3 * 2 ** ((packed & 0x07) + 1) : 0;
}

/** Returns the position behind a list of sub-blocks: each begins with its length, 0 ends the list. (GIF89a 15, 16.) */
async function walkSubBlocks(
  reader: ByteReader,
  from: number,
  use?: (data: Uint8Array) => void,
): Promise<number> {
  for (let position = from; ;) {
    const length = (await reader.read(position, 1)).readUInt8(0);
    position += 1;
    if (length === 0) return position;
    const data = await reader.read(position, length);
    use?.(data);
    position += length;
  }
}

/** The longest code in bits, and the size of a full table. (GIF89a appendix F.) */
const MAX_CODE_BITS = 12;
const MAX_CODES = 2 ** MAX_CODE_BITS;
/** In place of the code before the first one. */
const NONE = -1;

/**
 * Follows the codes of GIF's variable-length LZW. Each code stands for one string of pixels; a new code stands for the
 * string before it and one pixel more. So the lengths of the strings are enough. (GIF89a appendix F.)
 */
export class LzwPixelCounter {
  /** The pixels so far. */
  pixels = 0;
  readonly #clearCode: number;
  readonly #firstCodeBits: number;
  /** The length of each code's string. */
  readonly #lengths = new Uint16Array(MAX_CODES).fill(1);
  #codes: number;
  #codeBits: number;
  #previous = NONE;
  #hasEnded = false;
  #bits = 0;
  #bitCount = 0;

  /**
   * @param minCodeBits The code size that the image announces.
   * @throws SaveError `broken-image`: no code can be that long.
   */
  constructor(minCodeBits: number) {
    if (minCodeBits >= MAX_CODE_BITS) throw broken();
    this.#clearCode = 2 ** minCodeBits;
    this.#codeBits = this.#firstCodeBits = minCodeBits + 1;
    this.#codes = this.#clearCode + 2;
  }

  /** @throws SaveError `broken-image`: a code has no string yet. */
  add(bytes: Uint8Array): void {
    if (this.#hasEnded) return;
    const lengths = this.#lengths;
    const clearCode = this.#clearCode;
    // Local variables, because a large image has millions of codes.
    let { pixels } = this;
    let [codes, codeBits, previous] = [this.#codes, this.#codeBits, this.#previous];
    let [bits, bitCount] = [this.#bits, this.#bitCount];
    for (const byte of bytes) {
      bits |= byte << bitCount;
      bitCount += 8;
      while (bitCount >= codeBits) {
        const code = bits & ((1 << codeBits) - 1);
        bits >>= codeBits;
        bitCount -= codeBits;
        if (code === clearCode) {
          codes = clearCode + 2;
          codeBits = this.#firstCodeBits;
          previous = NONE;
          continue;
        }
        if (code === clearCode + 1) {
          this.#hasEnded = true;
          this.pixels = pixels;
          return;
        }
        if (previous !== NONE && codes < MAX_CODES) {
          lengths[codes] = (lengths[previous] ?? 0) + 1;
          codes += 1;
          if (codes === 1 << codeBits && codeBits < MAX_CODE_BITS) codeBits += 1;
        }
        if (code >= codes) throw broken();
        pixels += lengths[code] ?? 0;
        previous = code;
      }
    }
    this.pixels = pixels;
    [this.#codes, this.#codeBits, this.#previous] = [codes, codeBits, previous];
    [this.#bits, this.#bitCount] = [bits, bitCount];
  }
}
