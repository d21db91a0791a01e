// What the bytes of an image tell without decoding: whether all are there, and what its headers announce.
import type { ImageBytes } from '../../bytes/image-bytes.js';
import { SaveError } from '../../errors.js';
import { ByteReader } from '../byte-reader.js';
import type { ImageFormat } from '../formats.js';
import type { PlainHeader } from '../types.js';
import { readAvifImages, walkAvif } from './avif.js';
import { countGifPixels, walkGif } from './gif.js';
import { readJpegHeader, walkJpeg } from './jpeg.js';
import { readPngHeader, walkPng } from './png.js';
import { countTiffPixels, walkTiff } from './tiff.js';
import { countWebpPixels, walkWebp } from './webp.js';

interface Container {
  readonly walk: (reader: ByteReader) => Promise<void>;
  /** Of formats without pages. Undefined for anything unusual. */
  readonly readHeader?: (reader: ByteReader) => Promise<PlainHeader | undefined>;
  /** Of all pages. 0 where the headers say nothing. */
  readonly countPixels?: (reader: ByteReader) => Promise<number>;
}

const CONTAINERS: Readonly<Record<ImageFormat, Container>> = {
  jpeg: { walk: walkJpeg, readHeader: readJpegHeader },
  png: { walk: walkPng, readHeader: readPngHeader },
  gif: { walk: walkGif, countPixels: countGifPixels },
  webp: { walk: walkWebp, countPixels: countWebpPixels },
  avif: { walk: walkAvif, countPixels: async (reader) => (await readAvifImages(reader)).pixels },
  tiff: { walk: walkTiff, countPixels: countTiffPixels },
};

/**
 * Checks that an image has all bytes up to its end. Bytes behind the end are ignored.
 *
 * Here and below, the work is in proportion to the length of the image, even if the numbers in it are false. A long walk
 * yields to the event loop, and stops there with the signal's reason.
 *
 * @throws SaveError `incomplete-image` when the bytes end too early, `broken-image` when they contradict the format.
 */
export async function assertComplete(
  format: ImageFormat,
  bytes: ImageBytes,
  signal?: AbortSignal,
): Promise<void> {
  await CONTAINERS[format].walk(new ByteReader(bytes, signal));
}

/**
 * Reads the header of a JPEG or PNG without the image library: a hundredth of the work. The result is what the decoders
 * (libjpeg, libpng) read from the same bytes, unless they refuse the image.
 *
 * @returns Undefined for anything unusual or damaged, and for other formats: then the image library must read it.
 */
export async function readPlainHeader(
  format: ImageFormat,
  bytes: ImageBytes,
  signal?: AbortSignal,
): Promise<PlainHeader | undefined> {
  return CONTAINERS[format].readHeader?.(new ByteReader(bytes, signal)).catch(unlessDamaged);
}

/**
 * Counts the pixels of all pages as the headers announce them: what decoding will cost.
 *
 * @returns Undefined where the headers do not tell: the image is damaged or unusual.
 */
export async function countPixels(
  format: ImageFormat,
  bytes: ImageBytes,
  signal?: AbortSignal,
): Promise<number | undefined> {
  const header = await readPlainHeader(format, bytes, signal);
  if (header !== undefined) return header.width * header.height;
  const pixels = await CONTAINERS[format].countPixels?.(new ByteReader(bytes, signal)).catch(unlessDamaged);
  return pixels === 0 ? undefined : pixels;
}

function unlessDamaged(error: unknown): undefined {
  if (!(error instanceof SaveError)) throw error;
}
