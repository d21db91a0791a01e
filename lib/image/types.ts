// The properties of an image, and how to inspect one.
import type { ImageFormat } from './formats.js';

/** The properties of an inspected image. */
export interface ImageInfo {
  readonly format: ImageFormat;
  /** The media type, such as `image/jpeg`. */
  readonly type: string;
  /**
   * Pixels across the first page (of an AVIF, the primary one), as stored: orientation tags (Exif) are not applied. The
   * rotation of an AVIF (`irot`) is a part of the image, and is. (ISO/IEC 23008-12 6.5.10.)
   */
  readonly width: number;
  /** Pixels down the same page, as stored. */
  readonly height: number;
  /**
   * Pages of a TIFF, frames of an animated GIF or WebP, images of an AVIF collection. Of an animated PNG and an AVIF
   * sequence, the decoder knows only the still images.
   */
  readonly pages: number;
  /** Pixels of all pages together: width × height × pages, unless the pages of a TIFF or an AVIF differ in size. */
  readonly pixels: number;
}

/** How thoroughly to inspect. */
export interface InspectOptions {
  /** `'pixels'` decodes every pixel; `'header'` trusts the renderer and reads only the header. */
  readonly verify: 'pixels' | 'header';
  /** The maximum number of pixels of all pages together. */
  readonly maxPixels: number;
  /** Stops the inspection, which then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** The header of an image of one page. */
export interface PlainHeader {
  readonly width: number;
  readonly height: number;
  /** Whether the image comes in several passes, each finer than the one before: progressive or interlaced. */
  readonly isProgressive: boolean;
}
