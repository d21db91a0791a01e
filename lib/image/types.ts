// An image on its way to the store: where its bytes are, and what is known of them.
import type { ImageFormat } from './formats.js';

/** Where the bytes of an image are. */
export type ImageBytes = Buffer | FileBytes;

/** Bytes of an image that wait in a file. */
export interface FileBytes {
  readonly path: string;
  /** How many bytes there are. */
  readonly length: number;
  /**
   * Fills a buffer with the bytes from a position on.
   *
   * @returns How many there were: fewer than the buffer takes only at the end of the file.
   */
  read(buffer: Uint8Array, position: number): Promise<number>;
}

/** What is known of an image once it has been inspected. */
export interface ImageInfo {
  readonly format: ImageFormat;
  /** The media type, such as `image/jpeg`. */
  readonly type: string;
  /** Pixels across the first page (of an AVIF, the primary one), as stored: orientation tags are not applied. */
  readonly width: number;
  /** Pixels down the same page, as stored. */
  readonly height: number;
  /**
   * Pages of a TIFF, frames of an animated GIF or WebP, images of an AVIF collection. An animated PNG and an AVIF
   * sequence count by their still images, because these are all that the decoder knows.
   */
  readonly pages: number;
  /** Pixels of all pages together: width × height × pages, unless the pages of a TIFF or an AVIF differ in size. */
  readonly pixels: number;
}
