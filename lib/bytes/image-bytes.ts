// The bytes of an image: one type, whether they are in memory or in a file.
import { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { fileSystemError } from '../errors.js';

const CHUNK_BYTES = 256 * 1024;

/** The bytes of an image, as a store reads them. */
export interface ReadableBytes {
  readonly length: number;
  /**
   * The bytes from `start` (default 0) to `end` (default `length`, exclusive). Each call makes a new stream. A chunk may
   * be kept and must not be changed; only a few are read ahead. A failed read ends the stream with a `SaveError`, which
   * does not end the process if there is no `error` listener.
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

/** The bytes of an image, as the middleware reads them. */
export interface ImageBytes extends ReadableBytes {
  /** The file that has the bytes; undefined if they are in memory. */
  readonly path?: string | undefined;
  /** Fills a buffer from a position on. Returns the number of bytes read, fewer than it has only at the image's end. */
  read(buffer: Uint8Array, position: number): Promise<number>;
}

/** A file that collects the bytes of an image. Nothing is on the disk before the first write. */
export interface TempFile extends ImageBytes {
  readonly path: string;
  /**
   * Appends all bytes of some chunks.
   *
   * @throws SaveError The file could not be created, or not all bytes could be written.
   */
  write(chunks: readonly Uint8Array[]): Promise<void>;
  /**
   * Closes the file, and removes it unless it has become the published image. Never rejects. May be called at any
   * time, also during another call, and more than once.
   */
  discard(): Promise<void>;
}

abstract class Bytes implements ImageBytes {
  abstract readonly length: number;

  abstract read(buffer: Uint8Array, position: number): Promise<number>;

  buffer(): Promise<Buffer> {
    return this.readRange(0, this.length);
  }

  stream(start = 0, end = this.length): Readable {
    const chunks = this.#chunks(start, end);
    const stream = Readable.from(chunks, { objectMode: false, highWaterMark: CHUNK_BYTES });
    // `pipe` forwards no errors. A failed read must not end the process of a store that forgot to listen.
    return stream.on('error', () => undefined);
  }

  async *#chunks(start: number, end: number): AsyncGenerator<Buffer> {
    for (let from = start; from < end; from += CHUNK_BYTES) {
      // Without I/O between the chunks, a consumer such as a hash would block the event loop for the whole image.
      if (from > start) await setImmediate();
      yield await this.readRange(from, Math.min(from + CHUNK_BYTES, end));
    }
  }

  /** @returns A buffer of its own. */
  protected async readRange(start: number, end: number): Promise<Buffer> {
    try {
      const range = Buffer.allocUnsafeSlow(end - start);
      const bytesRead = await this.read(range, start);
      if (bytesRead < range.length) throw new Error(`The file ends after ${start + bytesRead} bytes`);
      return range;
    } catch (error) {
      throw fileSystemError(error);
    }
  }
}

/** An image in a file. */
export abstract class FileBytes extends Bytes {
  abstract readonly path: string;
}

/** An image in memory. */
export class MemoryBytes extends Bytes {
  readonly #buffer: Buffer;

  /** @param buffer Must not change any more. */
  constructor(buffer: Buffer) {
    super();
    this.#buffer = buffer;
  }

  get length(): number {
    return this.#buffer.length;
  }

  read(buffer: Uint8Array, position: number): Promise<number> {
    return Promise.resolve(this.#buffer.copy(buffer, 0, position));
  }

  override buffer(): Promise<Buffer> {
    return Promise.resolve(this.#buffer);
  }

  protected override readRange(start: number, end: number): Promise<Buffer> {
    return Promise.resolve(this.#buffer.subarray(start, end));
  }
}
