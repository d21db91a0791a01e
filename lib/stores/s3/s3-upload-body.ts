// The body of an upload: a range of an image with its checksum, whose last chunk waits until the save commits.
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { MemoryBytes, type ReadableBytes } from '../../bytes/image-bytes.js';

/** A range up to this length is kept in memory for retries, so that a file is read once. */
const MAX_PRELOADED_BYTES = 8 * 1024 ** 2;

/** A range of an image, sent as the body of one request. */
export interface Payload {
  readonly bytes: ReadableBytes;
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
  readonly sha256: Buffer;
}

/**
 * Makes a payload of a range of an image.
 *
 * @throws SaveError The image's file could not be read.
 */
export async function createPayload(bytes: ReadableBytes, start: number, end: number): Promise<Payload> {
  let source = { bytes, start, end };
  if (end - start <= MAX_PRELOADED_BYTES) {
    // A whole image in memory is not copied.
    const isWhole = end - start === bytes.length;
    const range = isWhole ? await bytes.buffer() : await buffer(bytes.stream(start, end));
    source = { bytes: new MemoryBytes(range), start: 0, end: range.length };
  }
  const hash = createHash('sha256');
  for await (const chunk of source.bytes.stream(source.start, source.end)) hash.update(chunk as Buffer);
  return { ...source, sha256: hash.digest() };
}

/** The callbacks of an {@link UploadBody}. */
export interface UploadBodyOptions {
  /** Called after all chunks but the last are sent. The last chunk is sent only if the result is true. */
  readonly beforeLastChunk: () => boolean;
  /** Called with the error of a failed read. */
  readonly onError: (error: unknown) => void;
}

/**
 * The body of one attempt. It ends after its last byte or not at all: the store knows the length, so it publishes
 * nothing of a body that stops early.
 */
export class UploadBody extends Readable {
  readonly #options: UploadBodyOptions;
  readonly #source: Readable;
  readonly #chunks: AsyncIterator<Buffer>;
  #remaining: number;

  constructor({ bytes, start, end }: Payload, options: UploadBodyOptions) {
    // Without a buffer of its own, so that the last chunk is asked for when all others are sent.
    super({ highWaterMark: 0 });
    this.#options = options;
    this.#source = bytes.stream(start, end);
    this.#chunks = this.#source[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    this.#remaining = end - start;
  }

  override _read(): void {
    this.#pushNext().catch((error: unknown) => {
      if (this.destroyed) return;
      this.#options.onError(error);
      this.destroy();
    });
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#source.destroy();
    done(error);
  }

  async #pushNext(): Promise<void> {
    const next = await this.#chunks.next();
    if (this.destroyed) return;
    const chunk = next.done === true ? undefined : next.value;
    this.#remaining -= chunk?.length ?? 0;
    if (this.#remaining === 0 && !this.#options.beforeLastChunk()) {
      // Without an error: the caller has aborted the request already.
      this.destroy();
      return;
    }
    if (chunk !== undefined) this.push(chunk);
    if (this.#remaining === 0) this.push(null);
  }
}
