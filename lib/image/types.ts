// An image for the store: its bytes and its properties.
import type { Readable } from 'node:stream';
import type { ImageFormat } from './formats.js';

/** The bytes of an image, in memory or in a file, as a store reads them. */
export interface ReadableBytes {
  /** The number of bytes. */
  readonly length: number;
  /**
   * The bytes from `start` (default 0) to `end` (default `length`, exclusive), in chunks. Each call makes a new stream
   * from the same bytes. A chunk may be kept and must not be changed.
   *
   * Nothing is read ahead of the consumer by more than a few chunks. A failed read ends the stream with a `SaveError`;
   * without an `error` listener that error does not end the process.
   */
  stream(start?: number, end?: number): Readable;
  /**
   * All bytes. An image in memory is returned without a copy, one in a file is read whole. The buffer may be kept and
   * must not be changed.
   *
   * @throws SaveError The file could not be read.
   */
  buffer(): Promise<Buffer>;
}

/** Where the middleware keeps the bytes of an image until they are inspected. */
export type ImageBytes = Buffer | FileBytes;

/** The bytes of an image in a file. */
export interface FileBytes extends ReadableBytes {
  readonly path: string;
  /**
   * Fills a buffer with the bytes from a position on.
   *
   * @returns The number of bytes read, fewer than the buffer's length only at the end of the file.
   */
  read(buffer: Uint8Array, position: number): Promise<number>;
}

/** The properties of an inspected image. */
export interface ImageInfo {
  readonly format: ImageFormat;
  /** The media type, such as `image/jpeg`. */
  readonly type: string;
  /**
   * Pixels across the first page (of an AVIF, the primary one), as stored: orientation tags (Exif) are not applied. The
   * rotation of an AVIF (`irot`) is no tag but a part of the image, which every decoder applies, so these are pixels of
   * the turned image. (ISO/IEC 23008-12 6.5.10.)
   */
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

/** How thoroughly to inspect. */
export interface InspectOptions {
  /** `'pixels'` decodes every pixel; `'header'` trusts the renderer and reads only the header. */
  readonly verify: 'pixels' | 'header';
  /** The maximum number of pixels of all pages together. */
  readonly maxPixels: number;
  /** Stops the inspection, which then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}
