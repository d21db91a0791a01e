// Checks an image in the current process: a decoder process, or the host if no other can be started.
import sharp, { type Metadata, type Sharp, type SharpOptions } from 'sharp';
import { MemoryBytes, type ImageBytes } from '../bytes/image-bytes.js';
import { SaveError } from '../errors.js';
import { ByteReader } from './byte-reader.js';
import { isAvifSequence, readAvifImages } from './containers/avif.js';
import { assertComplete, readPlainHeader } from './containers/index.js';
import { assertAllBlocks } from './containers/jpeg-scans.js';
import { removeOtherTags, separatePages } from './containers/tiff-edits.js';
import { findUnsupportedCompression, isTiledTiff } from './containers/tiff.js';
import { getMediaType, type ImageFormat } from './formats.js';
import { broken, unsupported } from './refusals.js';
import type { ImageInfo, InspectOptions, PlainHeader } from './types.js';

/**
 * Checks an image and returns its dimensions and pages.
 *
 * @param format The format that its first bytes announce.
 * @throws SaveError `not-an-image` (of another format than announced), `too-many-pixels`, `incomplete-image`,
 * `broken-image`, `unsupported-compression`, `out-of-resources`. The reason of the signal, once that has aborted.
 */
export async function checkImage(
  format: ImageFormat,
  bytes: ImageBytes,
  { verify, maxPixels, signal }: InspectOptions,
): Promise<ImageInfo> {
  if (verify === 'pixels') await assertComplete(format, bytes, signal);
  signal?.throwIfAborted();
  const image = { format, bytes, maxPixels, signal };
  const header = await readHeader(image);
  signal?.throwIfAborted();
  if (verify === 'pixels') await decode(image, header);
  const { width, height, pages, pixels } = header;
  return { format, type: getMediaType(format), width, height, pages, pixels };
}

/** An image, or one page of it to be opened alone. */
interface Image extends Omit<InspectOptions, 'verify'> {
  readonly format: ImageFormat;
  readonly bytes: ImageBytes;
  /** The page; without it, the first or all. */
  readonly page?: number;
}

/** The pages of an image, as its header announces them. The size is that of the first page, or the primary one. */
interface Header extends PlainHeader {
  readonly pages: number;
  readonly pixels: number;
  /** Whether the pages differ in size or depth, so that one pass cannot read them all. */
  readonly pagesDiffer: boolean;
  /** Sharp's warnings when it opens the image without decoding it. They are not about pixels. */
  readonly warnings: ReadonlySet<string>;
}

/** The maximum number of pages opened one by one. Each costs about a millisecond, however small it is. */
const MAX_DIFFERING_PAGES = 10_000;

/** Channels that an ordinary pixel may have: CMYK and alpha. */
const USUAL_CHANNELS = 5;

/** Reads the header of every page, and decodes none. */
async function readHeader(image: Image): Promise<Header> {
  const { format, bytes, maxPixels, signal } = image;
  const warnings = new Set<string>();
  const readMetadata = async (part: Image, options: SharpOptions = {}): Promise<Metadata> => {
    const opened = await open(part, { ...options, limitInputPixels: false }, warnings);
    return opened.metadata().catch((cause: unknown) => {
      throw broken(cause);
    });
  };
  const checkPixels = (pixels: number, { channels } = { channels: 1 }): number => {
    const weight = Math.max(1, Math.ceil(channels / USUAL_CHANNELS));
    if (pixels * weight <= maxPixels) return pixels;
    throw new SaveError('too-many-pixels', { maxPixels });
  };
  const plain = await readPlainHeader(format, bytes, signal);
  if (plain !== undefined) {
    const pixels = checkPixels(plain.width * plain.height);
    return { ...plain, pages: 1, pixels, pagesDiffer: false, warnings };
  }
  const first = await readMetadata(image).catch(async (cause: unknown) => {
    if (format === 'avif' && (await isAvifSequence(new ByteReader(bytes))))
      throw unsupported('animated AVIF', cause);
    throw cause;
  });
  // `heif` is what the library calls AVIF too. The first bytes have told the two apart.
  if ((first.format === 'heif' ? 'avif' : first.format) !== format) throw new SaveError('not-an-image');
  const { width, height, isProgressive } = first;
  let { pages = 1 } = first;
  // The library takes the tiles of an AVIF for pages unless the file hides them.
  if (format === 'avif' && pages > 1 && (await readAvifImages(new ByteReader(bytes, signal))).count === 1)
    pages = 1;
  const header = { width, height, isProgressive, pages, pagesDiffer: false, warnings };
  if (pages === 1 || (format !== 'tiff' && format !== 'avif'))
    return { ...header, pixels: checkPixels(width * height * pages, first) };
  // Counts every page, since a large page may follow a small one. Pages that differ cannot be opened as one image.
  const all = await readMetadata(image, { pages: -1 }).catch(() => undefined);
  if (all !== undefined) return { ...header, pixels: checkPixels(all.width * all.height, all) };
  if (pages > MAX_DIFFERING_PAGES) throw new SaveError('too-many-pixels', { maxPages: MAX_DIFFERING_PAGES });
  let pixels = 0;
  for await (const part of separate(image, pages)) {
    const page = await readMetadata(part);
    pixels = checkPixels(pixels + page.width * page.height, page);
  }
  return { ...header, pixels, pagesDiffer: true };
}

/** Opens an image with sharp, and collects the warnings about it. */
async function open(
  { format, bytes, page }: Image,
  options: SharpOptions,
  warnings: Set<string>,
): Promise<Sharp> {
  return sharp(bytes.path ?? (await bytes.buffer()), {
    ...options,
    ...(page === undefined ? {} : { page }),
    // The limit on pixels is checked before, over all pages. For a TIFF, the library's other limits (five channels,
    // 50 MiB for a compressed strip) are off too: its memory for a strip or tile is in proportion to the counted pixels.
    ...(format === 'tiff' ? { unlimited: true, limitInputChannels: 0xffff } : {}),
  }).on('warning', (warning: string) => warnings.add(warning));
}

/** Each page as an image of its own, one at a time, until the signal aborts. */
async function* separate(image: Image, pages: number): AsyncGenerator<Image> {
  if (image.format !== 'tiff') {
    for (let page = 0; page < pages; page += 1) {
      image.signal?.throwIfAborted();
      yield { ...image, page };
    }
    return;
  }
  for await (const page of separatePages(await copyOf(image.bytes), pages)) {
    image.signal?.throwIfAborted();
    yield { ...image, bytes: new MemoryBytes(page) };
  }
}

/** All bytes of an image, in a buffer that may be written to. Those of a file are read anew each time. */
async function copyOf(bytes: ImageBytes): Promise<Buffer> {
  const all = await bytes.buffer();
  return bytes.path === undefined ? Buffer.from(all) : all;
}

/**
 * Decodes every pixel and keeps next to none. The decoders of progressive JPEG, interlaced PNG, GIF, lossless WebP and
 * AVIF need the whole frame in memory; all others need a few rows.
 */
async function decode(image: Image, header: Header): Promise<void> {
  const { format, bytes, signal } = image;
  try {
    await decodePages(image, header).catch(async (cause: unknown) => {
      signal?.throwIfAborted();
      if (format !== 'tiff' || broken(cause).code !== 'broken-image') throw cause;
      const compression = await findUnsupportedCompression(bytes);
      if (compression !== undefined) throw unsupported(compression, cause);
      // A wrong value of any tag stops the decoder at the first strip, as damage of the pixels does.
      const tiff = await copyOf(bytes);
      await removeOtherTags(tiff);
      await decodePages({ ...image, bytes: new MemoryBytes(tiff) }, header);
    });
  } catch (cause) {
    signal?.throwIfAborted();
    throw broken(cause);
  }
}

async function decodePages(image: Image, header: Header): Promise<void> {
  const { pages, pagesDiffer } = header;
  for await (const part of pagesDiffer ? separate(image, pages) : [image]) await decodePart(part, header);
}

/**
 * An error of the libraries means damage. So does a warning while they decode, the only sign of a corrupt scan of a JPEG
 * or a fax line of a wrong length.
 */
async function decodePart(part: Image, header: Header): Promise<void> {
  const { format, bytes, signal } = part;
  const hasStrips = format === 'tiff' && !(await isTiledTiff(bytes, signal));
  // A baseline JPEG could be shrunk while it is loaded, in half the time. But libjpeg's warnings, the only sign of damage,
  // are checked once in eight rows of output and never after the last. At a scale of 1:8 that would leave the last 64
  // rows unchecked. The warnings of a progressive one come before its first row.
  const isBaseline = format === 'jpeg' && !header.isProgressive;
  const comesInRows = isBaseline || hasStrips || format === 'png' || format === 'gif';
  /** @returns The warnings that are about pixels. */
  const decodeOnce = async (failOn: 'warning' | 'error' | 'none'): Promise<string[]> => {
    const warnings = new Set<string>();
    const opened = await open(
      part,
      {
        pages: header.pages > 1 && !header.pagesDiffer ? -1 : 1,
        failOn,
        // Only the pixels that the header announced, without a conversion by a colour profile.
        ignoreIcc: true,
        limitInputPixels: header.pixels,
      },
      warnings,
    );
    // Keeps one pixel of each row, so that a decoder that works by rows must deliver every row. Or averages each page
    // into one pixel, in the decoder itself where it can scale (JPEG, WebP).
    const pixels =
      comesInRows && !header.pagesDiffer
        ? opened.extract({ left: 0, top: 0, width: 1, height: header.height })
        : opened.resize(1, 1, { fit: 'fill' });
    await pixels.raw().toBuffer();
    return [...warnings].filter((warning) => isAboutPixels(format, warning, header));
  };
  // 'warning' would refuse the strips of a TIFF after any warning of a tag; 'error' would let tiles that cannot be
  // decoded be black.
  const failOn = hasStrips ? 'error' : 'warning';
  // Threads of libvips may outlive an image that failed, and warn of it later. What is said of this one is said again.
  const repeats = format === 'jpeg' ? 0 : 2;
  const hasAllBlocks = (mayHaveMore: boolean): Promise<boolean> =>
    assertAllBlocks(bytes, { signal, mayHaveMore }).then(
      () => true,
      () => false,
    );
  try {
    let signs = await decodeOnce(failOn);
    for (let left = repeats; signs.length > 0 && left > 0; left -= 1) signs = await decodeOnce(failOn);
    if (signs.length > 0) throw new Error(signs.join('\n'));
  } catch (cause) {
    if (format !== 'jpeg' || !(await hasAllBlocks(false))) throw cause;
    // The warnings were about something else.
    await decodeOnce('none');
    return;
  }
  // In a host, warnings of the last rows come when libvips forgets the image, or go to another operation of sharp.
  if (isBaseline && !decodesAlone && !(await hasAllBlocks(true))) throw new Error('Codes are missing');
}

function isAboutPixels(format: ImageFormat, warning: string, header: Header): boolean {
  // libvips stops at a warning of libjpeg, but not at one about the last rows.
  if (format === 'jpeg') return true;
  // Warnings that libtiff gives for the header alone are about tags. Of the others, only those with a position, or from
  // libjpeg, mean damaged pixels.
  return format === 'tiff' && !header.warnings.has(warning) && /\d|JPEG/.test(warning);
}

/** Whether this process decodes one image at a time and does nothing else. */
let decodesAlone = false;

/** Settings for a process that only decodes images: no cache, one thread per image. */
export function useOwnSettings(): void {
  decodesAlone = true;
  sharp.cache(false);
  sharp.concurrency(1);
}

/**
 * Lets libvips forget the operations that it keeps (decoded frames too, which it does not count as memory), and leaves
 * its limits, which are the host's, as they were.
 */
export function dropCachedOperations(): void {
  const { max } = sharp.cache().items;
  // 0: caching is off, or another call is between the next two lines and will restore the host's limit.
  if (max === 0) return;
  sharp.cache({ items: 0 });
  sharp.cache({ items: max });
}
