// The bytes of an image on their way to a store: by ranges, each with its checksum, and held back before the last.
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { fileSystemError } from '../../errors.js';
import type { ImageBytes, FileBytes } from '../../image/types.js';

/** How many bytes are read and handed on at once. */
const READ_CHUNK_BYTES = 1024 ** 2;

/** An image in a file of so many bytes is read once, and not again for each time that it is sent. */
const MAX_PRELOADED_BYTES = 8 * 1024 ** 2;

/** A range of an image that is sent as the body of one request. */
export interface Payload {
  readonly bytes: ImageBytes;
  /** The first byte, and the one after the last. */
  readonly start: number;
  readonly end: number;
  readonly sha256: Buffer;
}

/** Makes a payload of a range of an image. Rejects with a SaveError where the image's file cannot be read. */
export async function createPayload(image: ImageBytes, start: number, end: number): Promise<Payload> {
  if (!Buffer.isBuffer(image) && end - start <= MAX_PRELOADED_BYTES) {
    return createPayload(await read(image, start, end), 0, end - start);
  }
  const hash = createHash('sha256');
  let at = start;
  let chunk = read(image, at, Math.min(at + READ_CHUNK_BYTES, end));
  while (at < end) {
    const now = Buffer.isBuffer(chunk) ? chunk : await chunk;
    at += now.length;
    // The next is read while this one is looked at.
    if (at < end) chunk = read(image, at, Math.min(at + READ_CHUNK_BYTES, end));
    hash.update(now);
  }
  return { bytes: image, start, end, sha256: hash.digest() };
}

/** Some bytes of an image: of one in memory not a copy, of one in a file all of them or a SaveError. */
function read(bytes: ImageBytes, start: number, end: number): Buffer | Promise<Buffer> {
  return Buffer.isBuffer(bytes) ? bytes.subarray(start, end) : readFile(bytes, start, end);
}

async function readFile(file: FileBytes, start: number, end: number): Promise<Buffer> {
  const range = Buffer.allocUnsafeSlow(end - start);
  try {
    const got = await file.read(range, start);
    if (got < range.length) throw new Error(`The file ends after ${start + got} bytes`);
  } catch (error) {
    throw fileSystemError(error);
  }
  return range;
}

/** How a body is held back. */
export interface UploadBodyOptions {
  /** Called when all but the last bytes are out; they go only if it returns true. */
  readonly beforeLastChunk: () => boolean;
  /** Called with why bytes could not be read. */
  readonly failed: (error: unknown) => void;
}

/**
 * The body of a request. It ends after its last byte or not at all: with a body that is not finished the other side
 * can begin nothing, since it knows the length.
 */
export class UploadBody extends Readable {
  readonly #payload: Payload;
  readonly #options: UploadBodyOptions;
  #at: number;

  constructor(payload: Payload, options: UploadBodyOptions) {
    // Nothing is read ahead: what is read is handed on.
    super({ highWaterMark: 0 });
    this.#payload = payload;
    this.#options = options;
    this.#at = payload.start;
  }

  override _read(): void {
    const { bytes, end } = this.#payload;
    const until = Math.min(this.#at + READ_CHUNK_BYTES, end);
    const chunk = read(bytes, this.#at, until);
    this.#at = until;
    if (Buffer.isBuffer(chunk)) {
      this.#pushChunk(chunk);
      return;
    }
    chunk.then(
      (range) => {
        if (!this.destroyed) this.#pushChunk(range);
      },
      (error: unknown) => {
        this.#options.failed(error);
        this.destroy();
      },
    );
  }

  #pushChunk(chunk: Buffer): void {
    const last = this.#at === this.#payload.end;
    if (last && !this.#options.beforeLastChunk()) {
      // Not by an error, which nobody would listen for: whoever sends the body has been told to stop.
      this.destroy();
      return;
    }
    this.push(chunk);
    if (last) this.push(null);
  }
}
