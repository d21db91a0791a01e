// Random access to the bytes of an image, in memory or in a file, a page at a time.
import { setImmediate } from 'node:timers/promises';
import { SaveError } from './errors.js';
import type { ImageBytes } from './image.js';

/** Bytes looked at between two turns of the event loop, and held in memory for a file. */
const PAGE_LENGTH = 64 * 1024;

const NOTHING = Buffer.alloc(0);

/** The refusal of an image whose bytes end too early. */
export function incomplete(): SaveError {
  return new SaveError(
    'incomplete-image',
    'The image ends before it is complete. Send all of its bytes, up to and including its end mark.',
  );
}

/** The bytes of an image, of which one page is at hand. */
export class Pages {
  readonly length: number;
  page: Buffer;
  /** The position of the page's first byte. */
  start = 0;
  readonly #bytes: ImageBytes;
  #memory: Buffer | undefined;

  constructor(bytes: ImageBytes) {
    this.#bytes = bytes;
    this.length = bytes.length;
    this.page = Buffer.isBuffer(bytes) ? bytes.subarray(0, PAGE_LENGTH) : NOTHING;
  }

  /** Another reader of the same bytes, with a page of its own. */
  twin(): Pages {
    return new Pages(this.#bytes);
  }

  /** Where in `page` the byte at `position` is, with `count` - 1 others behind it; -1 when a page must be turned. */
  find(position: number, count: number): number {
    const index = position - this.start;
    return index >= 0 && index + count <= this.page.length ? index : -1;
  }

  /** Makes `page` start at `position` and hold `count` bytes at least. Throws `incomplete-image` where they end. */
  async turn(position: number, count: number): Promise<0> {
    // Written so that a size of 2^64 or NaN does not get through either.
    if (!(position + count <= this.length)) throw incomplete();
    this.page = await this.#load(position, Math.min(PAGE_LENGTH, this.length - position));
    if (this.page.length < count) throw incomplete();
    this.start = position;
    return 0;
  }

  /** `count` bytes (a page at most), valid until the next page is turned. */
  async read(position: number, count: number): Promise<Buffer> {
    let index = this.find(position, count);
    if (index === -1) index = await this.turn(position, count);
    return this.page.subarray(index, index + count);
  }

  async #load(position: number, count: number): Promise<Buffer> {
    if (Buffer.isBuffer(this.#bytes)) {
      // Nothing is awaited from memory, so other requests get their turn here.
      await setImmediate();
      return this.#bytes.subarray(position, position + count);
    }
    this.#memory ??= Buffer.allocUnsafeSlow(PAGE_LENGTH);
    return this.#memory.subarray(0, await this.#bytes.read(this.#memory.subarray(0, count), position));
  }
}
