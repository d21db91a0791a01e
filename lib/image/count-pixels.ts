// The pixels of an image as its headers announce them: what decoding it will cost.
import type { ImageBytes } from '../bytes/image-bytes.js';
import { SaveError } from '../errors.js';
import { ByteReader } from './byte-reader.js';
import { readAvifImages } from './completeness/avif.js';
import { countGifPixels } from './completeness/gif.js';
import { countTiffPixels } from './completeness/tiff.js';
import { countWebpPixels } from './completeness/webp.js';
import type { ImageFormat } from './formats.js';
import { readHeaderFast } from './read-header.js';

/**
 * Counts the pixels of all pages of an image of a known format, without decoding any. Takes no more memory than a few
 * windows of the file and the positions of its directories, and time in proportion to the length of the image.
 *
 * @param signal Stops the search when it next yields to the event loop, with the signal's reason.
 * @returns Undefined where the headers do not tell: the image is damaged or unusual.
 */
export async function countPixels(
  format: ImageFormat,
  bytes: ImageBytes,
  signal?: AbortSignal,
): Promise<number | undefined> {
  if (format === 'jpeg' || format === 'png') {
    const header = await readHeaderFast(format, bytes, signal);
    return header && header.width * header.height;
  }
  try {
    const pixels = await COUNTS[format](new ByteReader(bytes, signal));
    return pixels > 0 ? pixels : undefined;
  } catch (error) {
    if (error instanceof SaveError) return undefined;
    throw error;
  }
}

const COUNTS = {
  gif: countGifPixels,
  webp: countWebpPixels,
  tiff: countTiffPixels,
  avif: async (reader: ByteReader): Promise<number> => {
    const { count, width, height } = await readAvifImages(reader);
    return count * width * height;
  },
} as const;
