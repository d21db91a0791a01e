// Inspects an image in the current process: a decoder process, or the host if no other process can be started.
import { assertComplete } from './completeness/index.js';
import { getFormatByBytes, getMediaType, MAGIC_BYTES, type ImageFormat } from './formats.js';
import { readHeaderFast } from './read-header.js';
import { notAnImage, tooManyPixels } from './refusals.js';
import { SharpImage, type Header } from './sharp-image.js';
import type { ImageBytes, ImageInfo, InspectOptions } from './types.js';

/**
 * Inspects an image and returns its dimensions, format and pages.
 *
 * @throws SaveError `not-an-image` (none of the raster formats that can be saved), `too-many-pixels`,
 * `broken-image`, and, if `verify` is `'pixels'`, `incomplete-image` and `unsupported-compression`. The reason of the
 * signal, once that has aborted.
 */
export async function inspectHere(bytes: ImageBytes, options: InspectOptions): Promise<ImageInfo> {
  const format = getFormatByBytes(await readMagic(bytes));
  // Keeps the library from trying its loaders for SVG, PDF and the like.
  if (format === undefined) throw notAnImage();
  const { verify, maxPixels, signal } = options;
  if (verify === 'pixels') await assertComplete(format, bytes, signal);
  signal?.throwIfAborted();
  const image = new SharpImage(format, bytes, options);
  const header = (await readPlainHeader(format, bytes, signal)) ?? (await image.readHeader());
  if (header.pixels > maxPixels) throw tooManyPixels(maxPixels);
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
  const { width, height, isProgressive } = fast;
  return {
    width,
    height,
    isProgressive,
    pages: 1,
    pixels: width * height,
    pagesDiffer: false,
    warnings: new Set(),
  };
}

async function readMagic(bytes: ImageBytes): Promise<Buffer> {
  if (Buffer.isBuffer(bytes)) return bytes.subarray(0, MAGIC_BYTES);
  const first = Buffer.alloc(MAGIC_BYTES);
  return first.subarray(0, await bytes.read(first, 0));
}
