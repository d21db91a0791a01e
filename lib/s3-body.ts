// The bytes of an image on their way to a store: by ranges, each with its checksum, and held back before the last.
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { fileSystemError } from './errors.js';
import type { ImageBytes } from './inspect.js';

/** How many bytes are handed on at once. */
const PIECE = 256 * 1024;

/** A range of an image that is sent as the body of one request. */
export interface Payload {
  readonly bytes: ImageBytes;
  /** The first byte, and the one after the last. */
  readonly start: number;
  readonly end: number;
  readonly sha256: Buffer;
}

/** Makes a payload of a range of an image. Rejects with a SaveError where the image's file cannot be read. */
export async function payloadOf(bytes: ImageBytes, start: number, end: number): Promise<Payload> {
  const hash = createHash('sha256');
  for (let at = start; at < end; at += PIECE) {
    const piece = read(bytes, at, Math.min(at + PIECE, end));
    hash.update(Buffer.isBuffer(piece) ? piece : await piece);
  }
  return { bytes, start, end, sha256: hash.digest() };
}

/** Some bytes of an image: of one in memory not a copy, of one in a file all of them or a SaveError. */
function read(bytes: ImageBytes, start: number, end: number): Buffer | Promise<Buffer> {
  return Buffer.isBuffer(bytes) ? bytes.subarray(start, end) : readFile(bytes, start, end);
}

async function readFile(
  { handle }: Exclude<ImageBytes, Buffer>,
  start: number,
  end: number,
): Promise<Buffer> {
  const range = Buffer.allocUnsafeSlow(end - start);
  try {
    for (let got = 0; got < range.length;) {
      const { bytesRead } = await handle.read(range, got, range.length - got, start + got);
      if (bytesRead === 0) throw new Error(`The file ends after ${start + got} bytes`);
      got += bytesRead;
    }
  } catch (error) {
    throw fileSystemError(error);
  }
  return range;
}

/** How a body is held back. */
export interface BodyOptions {
  /** Called when all but the last bytes are out; they go only if it returns true. */
  readonly beforeLast: () => boolean;
  /** Called with why bytes could not be read. */
  readonly failed: (error: unknown) => void;
}

/**
 * The body of a request. It ends after its last byte or not at all: with a body that is not finished the other side
 * can begin nothing, since it knows the length.
 */
export class Body extends Readable {
  readonly #payload: Payload;
  readonly #options: BodyOptions;
  #at: number;

  constructor(payload: Payload, options: BodyOptions) {
    // Nothing is read ahead: what is read is handed on.
    super({ highWaterMark: 0 });
    this.#payload = payload;
    this.#options = options;
    this.#at = payload.start;
  }

  override _read(): void {
    const { bytes, end } = this.#payload;
    const until = Math.min(this.#at + PIECE, end);
    const piece = read(bytes, this.#at, until);
    this.#at = until;
    if (Buffer.isBuffer(piece)) {
      this.#handOn(piece);
      return;
    }
    piece.then(
      (range) => {
        if (!this.destroyed) this.#handOn(range);
      },
      (error: unknown) => {
        this.#options.failed(error);
        this.destroy();
      },
    );
  }

  #handOn(piece: Buffer): void {
    const last = this.#at === this.#payload.end;
    if (last && !this.#options.beforeLast()) {
      // Not by an error, which nobody would listen for: whoever sends the body has been told to stop.
      this.destroy();
      return;
    }
    this.push(piece);
    if (last) this.push(null);
  }
}
