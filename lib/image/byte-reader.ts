// Random access to the bytes of an image, in memory or in a file, one window at a time.
import { setImmediate } from 'node:timers/promises';
import type { ImageBytes } from '../bytes/image-bytes.js';
import { incomplete } from './refusals.js';

/** The longest window: searched in one turn of the event loop and, for a file, kept in memory. */
const WINDOW_BYTES = 64 * 1024;

/** The maximum of one {@link ByteReader.read}, and the window of a reader that moves back and forth. */
export const MAX_READ_BYTES = 512;

/** The maximum number of {@link ByteReader.read} calls in one turn of the event loop. */
const READS_PER_TURN = 1024;

/**
 * The bytes of an image, with one window of them in memory. Yields to the event loop with each new window and after many
 * reads of one window, and throws the reason of an aborted signal then.
 */
export class ByteReader {
  readonly length: number;
  window: Buffer = Buffer.alloc(0);
  /** The position of the window's first byte. */
  windowStart = 0;
  /** Where {@link ByteReader.next} reads. */
  position = 0;
  readonly #bytes: ImageBytes;
  readonly #signal: AbortSignal | undefined;
  #buffer: Buffer | undefined;
  #reads = 0;
  #loadedBytes = 0;

  constructor(bytes: ImageBytes, signal?: AbortSignal) {
    this.#bytes = bytes;
    this.#signal = signal;
    this.length = bytes.length;
  }

  /** Another reader of the same bytes, with a window of its own. */
  clone(): ByteReader {
    return new ByteReader(this.#bytes, this.#signal);
  }

  /** The index in `window` of the byte at `position`; -1 if the window has fewer than `count` bytes from there on. */
  indexInWindow(position: number, count: number): number {
    const index = position - this.windowStart;
    return index >= 0 && index + count <= this.window.length ? index : -1;
  }

  /** Loads a window that starts at `position`. @throws SaveError `incomplete-image` unless it has `count` bytes. */
  async loadWindow(position: number, count: number): Promise<0> {
    // This form of the condition refuses a position of 2^64 or NaN too.
    if (!(position + count <= this.length)) throw incomplete();
    // Reading ahead helps a walk that goes forward. A walk that has loaded the image twice moves back and forth.
    const size = this.#loadedBytes < 2 * this.length ? WINDOW_BYTES : MAX_READ_BYTES;
    this.window = await this.#load(position, Math.min(size, this.length - position));
    this.#signal?.throwIfAborted();
    if (this.window.length < count) throw incomplete();
    this.windowStart = position;
    this.#loadedBytes += this.window.length;
    return 0;
  }

  /** Reads {@link MAX_READ_BYTES} at most. They are valid until the next call. @throws SaveError `incomplete-image`. */
  async read(position: number, count: number): Promise<Buffer> {
    this.#reads += 1;
    if (this.#reads % READS_PER_TURN === 0) {
      await setImmediate();
      this.#signal?.throwIfAborted();
    }
    let index = this.indexInWindow(position, count);
    if (index === -1) index = await this.loadWindow(position, count);
    return this.window.subarray(index, index + count);
  }

  /** Reads an unsigned number of `width` bytes. */
  async uint(position: number, width: number, littleEndian = false): Promise<number> {
    return readUint(await this.read(position, width), littleEndian);
  }

  /** Reads the unsigned number of `width` bytes at {@link ByteReader.position}, and goes behind it. */
  next(width: number): Promise<number> {
    this.position += width;
    return this.uint(this.position - width, width);
  }

  async #load(position: number, count: number): Promise<Buffer> {
    if (this.#bytes.path === undefined) {
      if (this.#loadedBytes > 0) await setImmediate();
      return (await this.#bytes.buffer()).subarray(position, position + count);
    }
    this.#buffer ??= Buffer.allocUnsafeSlow(WINDOW_BYTES);
    return this.#buffer.subarray(0, await this.#bytes.read(this.#buffer.subarray(0, count), position));
  }
}

/** The unsigned number that all of `bytes` make, 8 of them at most. Inexact above 2^53, where no file reaches. */
export function readUint(bytes: Uint8Array, littleEndian = false): number {
  let value = 0;
  for (let index = 0; index < bytes.length; index += 1) {
    value = value * 256 + (bytes[littleEndian ? bytes.length - 1 - index : index] ?? 0);
  }
  return value;
}
