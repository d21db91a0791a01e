// An image as sharp sees it: its header, and whether all of its pixels can be decoded. The only file that loads sharp.
import sharp, { type Metadata, type Sharp, type SharpOptions } from 'sharp';
import { MemoryBytes, type ImageBytes } from '../bytes/image-bytes.js';
import { ByteReader } from './byte-reader.js';
import { isAvifSequence, readAvifImages } from './completeness/avif.js';
import { isTiledTiff } from './completeness/tiff.js';
import { assertAllBlocks } from './completeness/jpeg-scans.js';
import { SaveError } from '../errors.js';
import type { ImageFormat } from './formats.js';
import { broken } from './refusals.js';
import { findUnsupportedCompression, separatePages } from './tiff-pages.js';

/** The pages of an image, as its header announces them. */
export interface Header {
  /** Pixels across and down the first page, or the primary one. */
  readonly width: number;
  readonly height: number;
  /** Whether it comes in several passes: progressive or interlaced. */
  readonly isProgressive: boolean;
  readonly pages: number;
  readonly pixels: number;
  /** Whether the pages differ in size or depth, so that one pass cannot read them all. */
  readonly pagesDiffer: boolean;
  /** Sharp's warnings when it opens the image without decoding it. They are not about pixels. */
  readonly warnings: ReadonlySet<string>;
}

/** The limits for decoding. */
export interface Limits {
  readonly maxPixels: number;
  readonly signal?: AbortSignal | undefined;
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

/** An image of a known format, in memory or in a file. */
export class SharpImage {
  readonly #format: ImageFormat;
  readonly #bytes: ImageBytes;
  readonly #limits: Limits;

  constructor(format: ImageFormat, bytes: ImageBytes, limits: Limits) {
    this.#format = format;
    this.#bytes = bytes;
    this.#limits = limits;
  }

  /**
   * Reads the header of every page, and decodes none.
   *
   * @throws SaveError `not-an-image` (of another format), `broken-image`, or `too-many-pixels`.
   */
  async readHeader(): Promise<Header> {
    const warnings = new Set<string>();
    const whole = { bytes: this.#bytes, options: {} };
    const first = await this.#readMetadata(whole, warnings).catch(async (cause: unknown) => {
      if (this.#format === 'avif' && (await isAvifSequence(new ByteReader(this.#bytes))))
        throw new SaveError('unsupported-compression', { compression: 'animated AVIF' }, cause);
      throw cause;
    });
    if (formatIn(first) !== this.#format) throw new SaveError('not-an-image');
    const { width, height, isProgressive } = first;
    const pages = await this.#countPages(first);
    const header = { width, height, isProgressive, pages, warnings };
    if (pages === 1 || (this.#format !== 'tiff' && this.#format !== 'avif')) {
      const pixels = width * height * pages;
      this.#checkPixels(pixels, first);
      return { ...header, pixels, pagesDiffer: false };
    }
    // Counts every page, since a large page may follow a small one. Pages that differ cannot be opened as one image.
    const options = { pages: -1 };
    const all = await this.#readMetadata({ ...whole, options }, warnings).catch(() => undefined);
    let pixels = all === undefined ? 0 : all.width * all.height;
    if (all !== undefined) {
      this.#checkPixels(pixels, all);
      return { ...header, pixels, pagesDiffer: false };
    }
    if (pages > MAX_DIFFERING_PAGES)
      throw new SaveError('too-many-pixels', { maxPages: MAX_DIFFERING_PAGES });
    for await (const part of this.#differingPages(pages)) {
      const page = await this.#readMetadata(part, warnings);
      pixels += page.width * page.height;
      this.#checkPixels(pixels, page);
    }
    return { ...header, pixels, pagesDiffer: true };
  }

  /**
   * Decodes every pixel and keeps next to none. The decoders of progressive JPEG, interlaced PNG, GIF, lossless WebP
   * and AVIF need the whole frame in memory; all others need a few rows.
   *
   * @throws SaveError `broken-image`, or `unsupported-compression`.
   */
  async decode(header: Header): Promise<void> {
    const { pages, pagesDiffer } = header;
    try {
      if (!pagesDiffer) {
        const options = { pages: pages > 1 ? -1 : 1 };
        await this.#decodePart({ bytes: this.#bytes, options }, header);
        return;
      }
      for await (const part of this.#differingPages(pages)) {
        await this.#decodePart(part, header);
      }
    } catch (cause) {
      this.#limits.signal?.throwIfAborted();
      if (this.#format === 'tiff') await this.#explainTiff(cause);
      throw broken(cause);
    }
  }

  /** The library takes the tiles of an AVIF for pages unless the file hides them. */
  async #countPages({ pages = 1 }: Metadata): Promise<number> {
    if (this.#format !== 'avif' || pages === 1) return pages;
    const images = await readAvifImages(new ByteReader(this.#bytes, this.#limits.signal));
    return images.count === 1 ? 1 : pages;
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

  #checkPixels(pixels: number, { channels }: Metadata): void {
    const weight = Math.ceil(channels / USUAL_CHANNELS);
    if (pixels * Math.max(1, weight) > this.#limits.maxPixels) {
      throw new SaveError('too-many-pixels', { maxPixels: this.#limits.maxPixels });
    }
  }

  /** Each page as a part of its own, one at a time, until the signal aborts. */
  async *#differingPages(pages: number): AsyncGenerator<Part> {
    const { signal } = this.#limits;
    if (this.#format !== 'tiff') {
      for (let page = 0; page < pages; page += 1) {
        signal?.throwIfAborted();
        yield { bytes: this.#bytes, options: { page } };
      }
      return;
    }
    // A copy, since it is written to.
    const tiff = Buffer.from(await this.#bytes.buffer());
    for await (const page of separatePages(tiff, pages)) {
      signal?.throwIfAborted();
      yield { bytes: new MemoryBytes(page), options: {} };
    }
  }

  /**
   * An error of the libraries means damage. So does a warning while they decode, the only sign of a corrupt scan of a
   * JPEG or a fax line of a wrong length.
   */
  async #decodePart({ bytes, options }: Part, header: Header): Promise<void> {
    const tiled = this.#format === 'tiff' && (await isTiledTiff(bytes, this.#limits.signal));
    const decode = async (input: string | Buffer, failOn: 'warning' | 'error' | 'none'): Promise<void> => {
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
      await (decodesByRows(this.#format, tiled, header)
        ? decodeByRows(image, header)
        : decodeWholeFrame(image));
      if (failOn === 'none') return;
      const signs = [...warnings].filter((warning) => this.#isAboutPixels(warning, header));
      if (signs.length > 0) throw new Error(signs.join('\n'));
    };
    // With 'error', libvips replaces undecodable tiles of a TIFF by black ones.
    const input = bytes.path ?? (await bytes.buffer());
    const attempt = decode(input, 'warning');
    if (this.#format === 'jpeg') {
      await attempt.catch(async (cause: unknown) => {
        await assertAllBlocks(await bytes.buffer(), this.#limits.signal).catch(() => {
          throw cause;
        });
        // All coded blocks are there, so the warnings were about something else.
        await decode(input, 'none');
      });
    } else if (this.#format === 'tiff' && !tiled) {
      // With 'warning', a strip fails if libtiff has ever warned, even of a tag.
      await attempt.catch(() => decode(input, 'error'));
    } else {
      await attempt;
    }
  }

  #isAboutPixels(warning: string, header: Header): boolean {
    // libvips stops at a warning of libjpeg, but not at one about the last rows.
    if (this.#format === 'jpeg') return true;
    // Warnings that libtiff gives for the header alone are about tags. Of the others, only those with a position, or
    // from libjpeg, mean damaged pixels.
    return this.#format === 'tiff' && !header.warnings.has(warning) && /\d|JPEG/.test(warning);
  }

  async #explainTiff(cause: unknown): Promise<void> {
    const compression = await findUnsupportedCompression(this.#bytes);
    if (compression === undefined) return;
    throw new SaveError('unsupported-compression', { compression }, cause);
  }
}

function formatIn({ format, compression }: Metadata): string {
  return format === 'heif' && compression === 'av1' ? 'avif' : format;
}

// A baseline JPEG could be shrunk while it is loaded, in half the time. But libjpeg's warnings, the only sign of
// damage, are checked once in eight rows of output and never after the last. At a scale of 1:8 that would leave the
// last 64 rows unchecked. The warnings of a progressive one come before its first row.
function decodesByRows(format: ImageFormat, tiled: boolean, { isProgressive, pagesDiffer }: Header): boolean {
  if (pagesDiffer) return false;
  if (format === 'jpeg') return !isProgressive;
  return format === 'png' || format === 'gif' || (format === 'tiff' && !tiled);
}

/** Keeps one pixel of each row, so that a decoder that works by rows must deliver every row. */
async function decodeByRows(image: Sharp, { height }: Header): Promise<void> {
  await image.extract({ left: 0, top: 0, width: 1, height }).raw().toBuffer();
}

/** Averages each page into one pixel, in the decoder itself where it can scale (JPEG, WebP). */
async function decodeWholeFrame(image: Sharp): Promise<void> {
  await image.resize(1, 1, { fit: 'fill' }).raw().toBuffer();
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
