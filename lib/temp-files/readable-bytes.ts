// Streams and buffers over the bytes of an image, in memory or in a file.
import { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { fileSystemError } from '../errors.js';
import type { FileBytes, ReadableBytes } from '../image/types.js';

const CHUNK_BYTES = 256 * 1024;

/** An image in memory. */
export class MemoryBytes implements ReadableBytes {
  readonly #buffer: Buffer;
  readonly #recycle: (buffer: Buffer) => void;

  /** @param recycle Makes the memory free for another image. */
  constructor(buffer: Buffer, recycle: (buffer: Buffer) => void = () => undefined) {
    this.#buffer = buffer;
    this.#recycle = recycle;
  }

  get length(): number {
    return this.#buffer.length;
  }

  stream(start = 0, end = this.length): Readable {
    return createStream(start, end, async (from, to) => {
      // Without I/O between the chunks, a consumer such as a hash would block the event loop for the whole image.
      if (from > start) await setImmediate();
      return this.#buffer.subarray(from, to);
    });
  }

  buffer(): Promise<Buffer> {
    return Promise.resolve(this.#buffer);
  }

  /**
   * Lets another image use the memory. A store may call this once it has read the bytes for the last time, if nothing
   * else has a buffer or a chunk of them.
   */
  recycle(): void {
    this.#recycle(this.#buffer);
  }
}

/** Streams a range of a file. Each chunk is a buffer of its own. */
export function streamFile(file: Pick<FileBytes, 'read'>, start: number, end: number): Readable {
  return createStream(start, end, (from, to) => readRange(file, from, to));
}

/**
 * Reads a range of a file.
 *
 * @throws SaveError The file could not be read, or ends before the range does.
 */
export async function readRange(file: Pick<FileBytes, 'read'>, start: number, end: number): Promise<Buffer> {
  try {
    const range = Buffer.allocUnsafeSlow(end - start);
    const bytesRead = await file.read(range, start);
    if (bytesRead < range.length) throw new Error(`The file ends after ${start + bytesRead} bytes`);
    return range;
  } catch (error) {
    throw fileSystemError(error);
  }
}

function createStream(
  start: number,
  end: number,
  read: (from: number, to: number) => Promise<Buffer>,
): Readable {
  const stream = Readable.from(readChunks(start, end, read), {
    objectMode: false,
    highWaterMark: CHUNK_BYTES,
  });
  // `pipe` forwards no errors. A failed read must not end the process of a store that forgot to listen.
  return stream.on('error', () => undefined);
}

async function* readChunks(
  start: number,
  end: number,
  read: (from: number, to: number) => Promise<Buffer>,
): AsyncGenerator<Buffer> {
  for (let from = start; from < end; from += CHUNK_BYTES) {
    yield await read(from, Math.min(from + CHUNK_BYTES, end));
  }
}
