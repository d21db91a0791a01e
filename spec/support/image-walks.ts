// Runs the walks through an image and counts their steps, so that no spec depends on the speed of the machine.
import { assertComplete } from '../../lib/image/containers/index.js';
import { ByteReader } from '../../lib/image/byte-reader.js';
import { SaveError } from '../../lib/errors.js';
import type { ImageFormat } from '../../lib/image/formats.js';
import { FileBytes, MemoryBytes, type ImageBytes } from '../../lib/bytes/image-bytes.js';

/** `'whole'`, or the code of the refusal. Any other error is thrown. */
export async function verdictOn(
  format: ImageFormat,
  bytes: ImageBytes | Buffer,
  signal?: AbortSignal,
): Promise<string> {
  try {
    await assertComplete(format, Buffer.isBuffer(bytes) ? new MemoryBytes(bytes) : bytes, signal);
    return 'whole';
  } catch (error) {
    if (error instanceof SaveError) return error.code;
    throw error;
  }
}

/** Bytes in memory that are read like those of a file, with a count of the reads. */
export class CountedFile extends FileBytes {
  readonly path = 'counted';
  readonly length: number;
  reads = 0;
  bytesRead = 0;
  /** The largest buffer that was to be filled, in bytes. */
  largestRead = 0;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    super();
    this.#bytes = bytes;
    this.length = bytes.length;
  }

  read(buffer: Uint8Array, position: number): Promise<number> {
    this.reads += 1;
    this.largestRead = Math.max(this.largestRead, buffer.length);
    const count = this.#bytes.copy(buffer, 0, position);
    this.bytesRead += count;
    return Promise.resolve(count);
  }
}

/**
 * Counts how often code asks a {@link ByteReader} for bytes while `run` runs. Work beyond `limit` makes the next
 * request throw, so that a walk without an end fails its spec instead of hanging it.
 */
export async function countSteps(limit: number, run: () => Promise<unknown>): Promise<number> {
  const { prototype } = ByteReader;
  const original = Object.getOwnPropertyDescriptor(prototype, 'indexInWindow')
    ?.value as ByteReader['indexInWindow'];
  let steps = 0;
  prototype.indexInWindow = function (this: ByteReader, position, count) {
    steps += 1;
    if (steps > limit) throw new Error(`The walk takes more than ${limit} steps.`);
    return original.call(this, position, count);
  };
  try {
    await run();
  } finally {
    prototype.indexInWindow = original;
  }
  return steps;
}
