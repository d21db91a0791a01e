// Random access to the bytes of an image, in memory or in a file, a page at a time.
import { setImmediate } from 'node:timers/promises';
import { SaveError } from '../errors.js';
import type { ImageBytes } from './types.js';

/** Bytes looked at between two turns of the event loop, and held in memory for a file. */
const WINDOW_BYTES = 64 * 1024;

const NOTHING = Buffer.alloc(0);

/** The refusal of an image whose bytes end too early. */
export function incomplete(): SaveError {
  return new SaveError(
    'incomplete-image',
    'The image ends before it is complete. Send all of its bytes, up to and including its end mark.',
  );
}

/** The bytes of an image, of which one page is at hand. */
export class ByteReader {
  readonly length: number;
  window: Buffer;
  /** The position of the page's first byte. */
  windowStart = 0;
  readonly #bytes: ImageBytes;
  #memory: Buffer | undefined;

  constructor(bytes: ImageBytes) {
    this.#bytes = bytes;
    this.length = bytes.length;
    this.window = Buffer.isBuffer(bytes) ? bytes.subarray(0, WINDOW_BYTES) : NOTHING;
  }

  /** Another reader of the same bytes, with a page of its own. */
  clone(): ByteReader {
    return new ByteReader(this.#bytes);
  }

  /** Where in `page` the byte at `position` is, with `count` - 1 others behind it; -1 when a page must be turned. */
  indexInWindow(position: number, count: number): number {
    const index = position - this.windowStart;
    return index >= 0 && index + count <= this.window.length ? index : -1;
  }

  /** Makes `page` start at `position` and hold `count` bytes at least. Throws `incomplete-image` where they end. */
  async loadWindow(position: number, count: number): Promise<0> {
    // Written so that a size of 2^64 or NaN does not get through either.
    if (!(position + count <= this.length)) throw incomplete();
    this.window = await this.#load(position, Math.min(WINDOW_BYTES, this.length - position));
    if (this.window.length < count) throw incomplete();
    this.windowStart = position;
    return 0;
  }

  /** `count` bytes (a page at most), valid until the next page is turned. */
  async read(position: number, count: number): Promise<Buffer> {
    let index = this.indexInWindow(position, count);
    if (index === -1) index = await this.loadWindow(position, count);
    return this.window.subarray(index, index + count);
  }

  async #load(position: number, count: number): Promise<Buffer> {
    if (Buffer.isBuffer(this.#bytes)) {
      // Nothing is awaited from memory, so other requests get their turn here.
      await setImmediate();
      return this.#bytes.subarray(position, position + count);
    }
    this.#memory ??= Buffer.allocUnsafeSlow(WINDOW_BYTES);
    return this.#memory.subarray(0, await this.#bytes.read(this.#memory.subarray(0, count), position));
  }
}
