// Is what a renderer sent a whole image, and which? The only file that knows the image library.
import sharp, { type Metadata, type Sharp, type SharpOptions } from 'sharp';
import { assertComplete, isTiledTiff } from './completeness/index.js';
import { SaveError } from '../errors.js';
import { getFormatByBytes, MAGIC_BYTES, getMediaType, type ImageFormat } from './formats.js';
import { readHeaderFast, type FastHeader } from './read-header.js';
import type { ImageBytes, ImageInfo } from './types.js';

/** How thoroughly to look. */
export interface InspectOptions {
  /** `'pixels'` decodes every pixel; `'header'` trusts whoever made the image and reads only its header. */
  readonly verify: 'pixels' | 'header';
  /** The most pixels that all pages together may have. */
  readonly maxPixels: number;
}

/** What the library reads from: a path, or bytes in memory. */
type Input = string | Buffer;

/** The pages of an image, as its header announces them. */
interface Header {
  /** Pixels across and down the first page, or the primary one. */
  readonly width: number;
  readonly height: number;
  /** Whether it comes in several passes: progressive or interlaced. */
  readonly isProgressive: boolean;
  readonly pages: number;
  readonly pixels: number;
  /** Whether the pages differ in size or depth, so that one pass cannot read them all. */
  readonly pagesDiffer: boolean;
}

/**
 * Says what an image is, once it is sure that it is one.
 *
 * @throws SaveError `not-an-image` (none of the raster formats that can be saved), `too-many-pixels`,
 * `broken-image`, and, if `verify` is `'pixels'`, `incomplete-image`.
 */
export async function inspectImage(bytes: ImageBytes, options: InspectOptions): Promise<ImageInfo> {
  const format = getFormatByBytes(await firstBytesOf(bytes));
  // The library must never get to try its loaders for SVG, PDF and the like.
  if (format === undefined) throw notAnImage();
  const whole = options.verify === 'pixels';
  if (whole) await assertComplete(format, bytes);
  const tiled = format === 'tiff' && (await isTiledTiff(bytes));
  const input = await inputFor(bytes, tiled || format === 'gif' || format === 'webp');
  const plain = await readHeaderFast(format, bytes);
  const header = plain === undefined ? await readHeader(format, input, options.maxPixels) : onePage(plain);
  if (header.pixels > options.maxPixels) throw tooManyPixels(options.maxPixels);
  if (whole) await decode(format, tiled, input, header);
  const { width, height, pages, pixels } = header;
  return { format, type: getMediaType(format), width, height, pages, pixels };
}

async function firstBytesOf(bytes: ImageBytes): Promise<Buffer> {
  if (Buffer.isBuffer(bytes)) return bytes.subarray(0, MAGIC_BYTES);
  const first = Buffer.alloc(MAGIC_BYTES);
  return first.subarray(0, await bytes.read(first, 0));
}

// libvips remembers what it opened with a loader that is not sequential: those of GIF, WebP and tiled TIFF. By
// path, it would keep the file open and mistake the next file of that name for it. The cache is the host
// application's, so these images are read into memory instead, where there is nothing to mistake.
async function inputFor(bytes: ImageBytes, mustBeInMemory: boolean): Promise<Input> {
  if (Buffer.isBuffer(bytes)) return bytes;
  if (!mustBeInMemory) return bytes.path;
  const all = Buffer.allocUnsafeSlow(bytes.length);
  return all.subarray(0, await bytes.read(all, 0));
}

function onePage(plain: FastHeader): Header {
  const { width, height, isProgressive } = plain;
  return { width, height, isProgressive, pages: 1, pixels: width * height, pagesDiffer: false };
}

async function readHeader(format: ImageFormat, input: Input, maxPixels: number): Promise<Header> {
  const first = await metadataOf(input).catch(throwBroken);
  if (formatIn(first) !== format) throw notAnImage();
  const { width, height, pages = 1, isProgressive } = first;
  const { pixels, pagesDiffer } =
    pages > 1 && (format === 'tiff' || format === 'avif')
      ? await sizesOf(input, pages, maxPixels)
      : { pixels: width * height * pages, pagesDiffer: false };
  return { width, height, isProgressive: isProgressive, pages, pixels, pagesDiffer };
}

/** Counts pages that may differ in size: a small first one must not hide a large second one. */
async function sizesOf(
  input: Input,
  pages: number,
  maxPixels: number,
): Promise<Pick<Header, 'pixels' | 'pagesDiffer'>> {
  // Pages that differ cannot be opened as one image; pages that are alike need no second look.
  const all = await metadataOf(input, { pages: -1 }).catch(() => undefined);
  const pagesDiffer = all === undefined;
  let pixels = pagesDiffer ? 0 : all.width * all.height;
  for (let page = 0; pagesDiffer && page < pages && pixels <= maxPixels; page += 1) {
    const { width, height } = await metadataOf(input, { page }).catch(throwBroken);
    pixels += width * height;
  }
  return { pixels, pagesDiffer };
}

async function metadataOf(input: Input, options: SharpOptions = {}): Promise<Metadata> {
  // Pixels are counted here, over all pages, so the library's own limit must not decide.
  return sharp(input, { ...options, limitInputPixels: false }).metadata();
}

function formatIn({ format, compression }: Metadata): string {
  return format === 'heif' && compression === 'av1' ? 'avif' : format;
}

/**
 * Decodes every pixel and keeps next to none. The frame is held by the decoders of progressive JPEG, interlaced PNG,
 * GIF, lossless WebP and AVIF, which cannot do without; all others need a few rows of it.
 */
async function decode(format: ImageFormat, tiled: boolean, input: Input, header: Header): Promise<void> {
  const { height, pages, pixels, pagesDiffer } = header;
  const byRows = !pagesDiffer && decodesByRows(format, tiled, header);
  const decodeAs = async (options: SharpOptions): Promise<void> => {
    // No more pixels than the header announced, and none of them converted by a colour profile.
    const image = sharp(input, { ...options, ignoreIcc: true, limitInputPixels: pixels });
    await (byRows ? decodeByRows(image, height) : decodeWholeFrame(image));
  };
  for (let page = 0; page < (pagesDiffer ? pages : 1); page += 1) {
    const part = pagesDiffer ? { page } : { pages: pages > 1 ? -1 : 1 };
    try {
      // The only sign of damage in many a JPEG, or TIFF of tiles, is a warning.
      await decodeAs({ ...part, failOn: 'warning' }).catch((cause: unknown) => {
        if (!isTagWarning(cause)) throw cause;
        return decodeAs({ ...part, failOn: 'error' });
      });
    } catch (cause) {
      throwBroken(cause);
    }
  }
}

// Untidy tags are no damage. libtiff warns of them each time, though, so that its warnings say no more about the
// pixels; its errors still do. The message has the warnings, one a line, between two lines of sharp's own.
function isTagWarning(cause: unknown): boolean {
  const warnings = (cause as Error).message.split('\n').slice(1, -1);
  return (
    warnings.length > 0 &&
    warnings.every((line) => /tag ignored|TIFF directory|" field|^Unknown field/.test(line))
  );
}

// A baseline JPEG could be shrunk while it is loaded, in half the time, but libjpeg's warnings (there is no other
// sign of damage) are looked at once in eight rows of output and never after the last: of a scale of 1:8, that
// leaves the last 64 rows unchecked. The warnings of a progressive one come before its first row.
function decodesByRows(format: ImageFormat, tiled: boolean, { isProgressive }: Header): boolean {
  return (
    (format === 'jpeg' && !isProgressive) ||
    format === 'png' ||
    format === 'gif' ||
    (format === 'tiff' && !tiled)
  );
}

/** Keeps one pixel of each row, so that a decoder that goes by rows has to deliver them all. */
async function decodeByRows(image: Sharp, height: number): Promise<void> {
  await image.extract({ left: 0, top: 0, width: 1, height }).raw().toBuffer();
}

/** Averages each page into one pixel, in the decoder itself where it can scale (JPEG, WebP). */
async function decodeWholeFrame(image: Sharp): Promise<void> {
  await image.resize(1, 1, { fit: 'fill' }).raw().toBuffer();
}

function notAnImage(): SaveError {
  return new SaveError(
    'not-an-image',
    'The answer is not an image that can be saved. Ask for a JPEG, PNG, WebP, GIF, TIFF or AVIF image.',
  );
}

function tooManyPixels(maxPixels: number): SaveError {
  return new SaveError(
    'too-many-pixels',
    `The image has more than ${maxPixels} pixels, all pages together. Ask for a smaller one.`,
  );
}

function throwBroken(cause: unknown): never {
  throw new SaveError('broken-image', 'The image is damaged or cannot be decoded. Render it again.', cause);
}
