// Is an image complete up to the end of its format? One file per format walks from one length to the next.
import type { ImageBytes } from '../../bytes/image-bytes.js';
import { ByteReader } from '../byte-reader.js';
import type { ImageFormat } from '../formats.js';
import { walkAvif } from './avif.js';
import { walkGif } from './gif.js';
import { walkJpeg } from './jpeg.js';
import { walkPng } from './png.js';
import { walkTiff } from './tiff.js';
import { walkWebp } from './webp.js';

const WALKS: Readonly<Record<ImageFormat, (reader: ByteReader) => Promise<void>>> = {
  jpeg: walkJpeg,
  png: walkPng,
  gif: walkGif,
  webp: walkWebp,
  avif: walkAvif,
  tiff: walkTiff,
};

/**
 * Checks that an image of a known format has all bytes up to its end. Bytes behind the end are ignored.
 *
 * The work is in proportion to the length of the image, even if the numbers in the image are false. Long walks yield to
 * the event loop.
 *
 * @param signal Stops the walk at the next yield, with the signal's reason.
 * @throws SaveError `incomplete-image` when the bytes end too early, `broken-image` when they contradict the format.
 */
export async function assertComplete(
  format: ImageFormat,
  bytes: ImageBytes,
  signal?: AbortSignal,
): Promise<void> {
  await WALKS[format](new ByteReader(bytes, signal));
}
