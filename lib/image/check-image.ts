// Checks an image in the current process: a decoder process, or the host if no other process can be started.
import type { ImageBytes } from '../bytes/image-bytes.js';
import { SaveError } from '../errors.js';
import { assertComplete } from './completeness/index.js';
import { getMediaType, type ImageFormat } from './formats.js';
import { readHeaderFast } from './read-header.js';
import { SharpImage, type Header } from './sharp-image.js';
import type { ImageInfo, InspectOptions } from './types.js';

/**
 * Checks an image and returns its dimensions and pages.
 *
 * @param format The format that its first bytes announce.
 * @throws SaveError `not-an-image` (of another format than announced), `too-many-pixels`, `broken-image`, and, if
 * `verify` is `'pixels'`, `incomplete-image` and `unsupported-compression`. The reason of the signal, once that has
 * aborted.
 */
export async function checkImage(
  format: ImageFormat,
  bytes: ImageBytes,
  options: InspectOptions,
): Promise<ImageInfo> {
  const { verify, maxPixels, signal } = options;
  if (verify === 'pixels') await assertComplete(format, bytes, signal);
  signal?.throwIfAborted();
  const image = new SharpImage(format, bytes, options);
  const header = (await readPlainHeader(format, bytes, signal)) ?? (await image.readHeader());
  if (header.pixels > maxPixels) throw new SaveError('too-many-pixels', { maxPixels });
  signal?.throwIfAborted();
  if (verify === 'pixels') await image.decode(header);
  const { width, height, pages, pixels } = header;
  return { format, type: getMediaType(format), width, height, pages, pixels };
}

async function readPlainHeader(
  format: ImageFormat,
  bytes: ImageBytes,
  signal: AbortSignal | undefined,
): Promise<Header | undefined> {
  const fast = await readHeaderFast(format, bytes, signal);
  if (fast === undefined) return undefined;
  const pixels = fast.width * fast.height;
  return { ...fast, pages: 1, pixels, pagesDiffer: false, warnings: new Set() };
}
