// Checks an image in the current process: a decoder process, or the host if no other can be started.
import sharp, { type Metadata, type SharpOptions } from 'sharp';
import { MemoryBytes, type ImageBytes } from '../bytes/image-bytes.js';
import { SaveError } from '../errors.js';
import { ByteReader } from './byte-reader.js';
import { isAvifSequence, readAvifImages } from './containers/avif.js';
import { assertComplete, readPlainHeader } from './containers/index.js';
import { assertAllBlocks } from './containers/jpeg-scans.js';
import { findUnsupportedCompression, isTiledTiff, separatePages } from './containers/tiff.js';
import { getMediaType, type ImageFormat } from './formats.js';
import { broken } from './refusals.js';
import type { ImageInfo, InspectOptions, PlainHeader } from './types.js';

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
  const { verify, signal } = options;
  if (verify === 'pixels') await assertComplete(format, bytes, signal);
  signal?.throwIfAborted();
  const image = new SharpImage(format, bytes, options);
  const header = await image.readHeader();
  signal?.throwIfAborted();
  if (verify === 'pixels') await image.decode(header);
  const { width, height, pages, pixels } = header;
  return { format, type: getMediaType(format), width, height, pages, pixels };
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

/** One page, or several that are alike, to be opened at once. */
interface Part {
  readonly bytes: ImageBytes;
  readonly options: SharpOptions;
}

/** The maximum number of pages opened one by one. Each costs about a millisecond, however small it is. */
const MAX_DIFFERING_PAGES = 10_000;

/** Channels that an ordinary pixel may have: CMYK and alpha. */
const USUAL_CHANNELS = 5;

class SharpImage {
  readonly #format: ImageFormat;
  readonly #bytes: ImageBytes;
  readonly #maxPixels: number;
  readonly #signal: AbortSignal | undefined;

  constructor(format: ImageFormat, bytes: ImageBytes, { maxPixels, signal }: InspectOptions) {
    this.#format = format;
    this.#bytes = bytes;
    this.#maxPixels = maxPixels;
    this.#signal = signal;
  }

  /** Reads the header of every page, and decodes none. */
  async readHeader(): Promise<Header> {
    const warnings = new Set<string>();
    const plain = await readPlainHeader(this.#format, this.#bytes, this.#signal);
    if (plain !== undefined) {
      const pixels = this.#checkPixels(plain.width * plain.height);
      return { ...plain, pages: 1, pixels, pagesDiffer: false, warnings };
    }
    const whole = { bytes: this.#bytes, options: {} };
    const first = await this.#readMetadata(whole, warnings).catch(async (cause: unknown) => {
      if (this.#format === 'avif' && (await isAvifSequence(new ByteReader(this.#bytes))))
        throw new SaveError('unsupported-compression', { compression: 'animated AVIF' }, cause);
      throw cause;
    });
    if (formatIn(first) !== this.#format) throw new SaveError('not-an-image');
    const { width, height, isProgressive } = first;
    const pages = await this.#countPages(first);
    const header = { width, height, isProgressive, pages, pagesDiffer: false, warnings };
    if (pages === 1 || (this.#format !== 'tiff' && this.#format !== 'avif'))
      return { ...header, pixels: this.#checkPixels(width * height * pages, first) };
    // Counts every page, since a large page may follow a small one. Pages that differ cannot be opened as one image.
    const options = { pages: -1 };
    const all = await this.#readMetadata({ ...whole, options }, warnings).catch(() => undefined);
    if (all !== undefined) return { ...header, pixels: this.#checkPixels(all.width * all.height, all) };
    if (pages > MAX_DIFFERING_PAGES)
      throw new SaveError('too-many-pixels', { maxPages: MAX_DIFFERING_PAGES });
    let pixels = 0;
    for await (const part of this.#differingPages(pages)) {
      const page = await this.#readMetadata(part, warnings);
      pixels = this.#checkPixels(pixels + page.width * page.height, page);
    }
    return { ...header, pixels, pagesDiffer: true };
  }

  /**
   * Decodes every pixel and keeps next to none. The decoders of progressive JPEG, interlaced PNG, GIF, lossless WebP
   * and AVIF need the whole frame in memory; all others need a few rows.
   */
  async decode(header: Header): Promise<void> {
    const { pages, pagesDiffer } = header;
    const whole = { bytes: this.#bytes, options: { pages: pages > 1 ? -1 : 1 } };
    try {
      for await (const part of pagesDiffer ? this.#differingPages(pages) : [whole])
        await this.#decodePart(part, header);
    } catch (cause) {
      this.#signal?.throwIfAborted();
      const compression = this.#format === 'tiff' ? await findUnsupportedCompression(this.#bytes) : undefined;
      throw compression === undefined
        ? broken(cause)
        : new SaveError('unsupported-compression', { compression }, cause);
    }
  }

  /** The library takes the tiles of an AVIF for pages unless the file hides them. */
  async #countPages({ pages = 1 }: Metadata): Promise<number> {
    if (this.#format !== 'avif' || pages === 1) return pages;
    const { count } = await readAvifImages(new ByteReader(this.#bytes, this.#signal));
    return count === 1 ? 1 : pages;
  }

  async #readMetadata({ bytes, options }: Part, warnings: Set<string>): Promise<Metadata> {
    const image = sharp(bytes.path ?? (await bytes.buffer()), {
      ...options,
      ...this.#openOptions,
      limitInputPixels: false,
    });
    image.on('warning', (warning: string) => warnings.add(warning));
    return image.metadata().catch((cause: unknown) => {
      throw broken(cause);
    });
  }

  /**
   * The limit on pixels is checked before, over all pages. For a TIFF, the library's other limits (five channels,
   * 50 MiB for a compressed strip) are off too: its memory for a strip or tile is in proportion to the counted pixels.
   */
  get #openOptions(): SharpOptions {
    return this.#format === 'tiff' ? { unlimited: true, limitInputChannels: 0xffff } : {};
  }

  #checkPixels(pixels: number, { channels } = { channels: 1 }): number {
    const weight = Math.max(1, Math.ceil(channels / USUAL_CHANNELS));
    if (pixels * weight <= this.#maxPixels) return pixels;
    throw new SaveError('too-many-pixels', { maxPixels: this.#maxPixels });
  }

  /** Each page as a part of its own, one at a time, until the signal aborts. */
  async *#differingPages(pages: number): AsyncGenerator<Part> {
    if (this.#format !== 'tiff') {
      for (let page = 0; page < pages; page += 1) {
        this.#signal?.throwIfAborted();
        yield { bytes: this.#bytes, options: { page } };
      }
      return;
    }
    // A copy, since it is written to.
    const tiff = Buffer.from(await this.#bytes.buffer());
    for await (const page of separatePages(tiff, pages)) {
      this.#signal?.throwIfAborted();
      yield { bytes: new MemoryBytes(page), options: {} };
    }
  }

  /**
   * An error of the libraries means damage. So does a warning while they decode, the only sign of a corrupt scan of a
   * JPEG or a fax line of a wrong length.
   */
  async #decodePart({ bytes, options }: Part, header: Header): Promise<void> {
    const isTiled = this.#format === 'tiff' && (await isTiledTiff(bytes, this.#signal));
    const input = bytes.path ?? (await bytes.buffer());
    /** @returns The warnings that are about pixels. */
    const decode = async (failOn: 'warning' | 'error' | 'none'): Promise<string[]> => {
      const warnings = new Set<string>();
      const image = sharp(input, {
        ...options,
        ...this.#openOptions,
        failOn,
        // Only the pixels that the header announced, without a conversion by a colour profile.
        ignoreIcc: true,
        limitInputPixels: header.pixels,
      });
      image.on('warning', (warning: string) => warnings.add(warning));
      // Keeps one pixel of each row, so that a decoder that works by rows must deliver every row. Or averages each page
      // into one pixel, in the decoder itself where it can scale (JPEG, WebP).
      const pixels = this.#decodesByRows(isTiled, header)
        ? image.extract({ left: 0, top: 0, width: 1, height: header.height })
        : image.resize(1, 1, { fit: 'fill' });
      await pixels.raw().toBuffer();
      return [...warnings].filter((warning) => this.#isAboutPixels(warning, header));
    };
    // 'warning' would refuse the strips of a TIFF after any warning of a tag; 'error' would let tiles that cannot be
    // decoded be black.
    const failOn = this.#format === 'tiff' && !isTiled ? 'error' : 'warning';
    // Threads of libvips may outlive an image that failed, and warn of it later. What is said of this one is said again.
    const attempts = this.#format === 'jpeg' ? 1 : 3;
    try {
      let signs = await decode(failOn);
      for (let left = attempts - 1; signs.length > 0 && left > 0; left -= 1) signs = await decode(failOn);
      if (signs.length > 0) throw new Error(signs.join('\n'));
    } catch (cause) {
      if (this.#format !== 'jpeg') throw cause;
      await assertAllBlocks(bytes, this.#signal).catch(() => {
        throw cause;
      });
      // All coded blocks are there, so the warnings were about something else.
      await decode('none');
    }
  }

  // A baseline JPEG could be shrunk while it is loaded, in half the time. But libjpeg's warnings, the only sign of
  // damage, are checked once in eight rows of output and never after the last. At a scale of 1:8 that would leave the
  // last 64 rows unchecked. The warnings of a progressive one come before its first row.
  #decodesByRows(isTiled: boolean, { isProgressive, pagesDiffer }: Header): boolean {
    if (pagesDiffer) return false;
    if (this.#format === 'jpeg') return !isProgressive;
    return this.#format === 'png' || this.#format === 'gif' || (this.#format === 'tiff' && !isTiled);
  }

  #isAboutPixels(warning: string, header: Header): boolean {
    // libvips stops at a warning of libjpeg, but not at one about the last rows.
    if (this.#format === 'jpeg') return true;
    // Warnings that libtiff gives for the header alone are about tags. Of the others, only those with a position, or
    // from libjpeg, mean damaged pixels.
    return this.#format === 'tiff' && !header.warnings.has(warning) && /\d|JPEG/.test(warning);
  }
}

/** `heif` is what the library calls AVIF too. The first bytes have told the two apart. */
function formatIn({ format }: Metadata): string {
  return format === 'heif' ? 'avif' : format;
}

/** Settings for a process that only decodes images: no cache, one thread per image. */
export function useOwnSettings(): void {
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
