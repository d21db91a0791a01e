// The batches of a rendered response → its bytes, decoded: in memory while they are few, else in a temporary file.
import { MemoryBytes, type ImageBytes, type TempFile } from '../bytes/image-bytes.js';
import { createBuffer } from '../bytes/recycled-memory.js';
import { SaveError } from '../errors.js';
import { MAGIC_BYTES, sniffFormat } from '../image/formats.js';
import { decode, findDecoders } from './content-decoders.js';
import type { Batch, RenderedImage } from './exchange.js';

/** An image up to this length stays in memory until it is inspected, even if it arrives in pieces. */
const MAX_BUFFERED_BYTES = 1024 * 1024;

/** The maximum number of buffers in one write. (POSIX, IOV_MAX; Linux: 1024.) */
const MAX_WRITE_CHUNKS = 1000;

export interface CollectOptions {
  readonly maxBytes: number;
  /** Creates the file for an image that is too large for memory. After a failure it may contain some bytes. */
  readonly createTempFile: () => TempFile;
  /** Ends the decoding, so that no endless encoding outlives its save. */
  readonly signal: AbortSignal;
}

/**
 * Reads the body of a rendered response to its end.
 *
 * A body with an unknown encoding that begins like an image is taken as it is.
 *
 * @throws SaveError The body does not begin like an image, is longer than `maxBytes`, its length is not the one
 * announced, or its encoding is broken or unknown. The reason of the signal, once that has aborted while the body was
 * decoded.
 */
export async function collectBody(
  { body, contentEncoding, contentLength, mayBeDecoded = false }: RenderedImage,
  { maxBytes, createTempFile, signal }: CollectOptions,
): Promise<ImageBytes> {
  const decoders = findDecoders(contentEncoding);
  // That of a response whose unknown encoding may have been undone is of other bytes.
  const isUsable = contentLength !== undefined && !(mayBeDecoded && decoders === undefined);
  const received = new LengthCheck(maxBytes, isUsable ? Number(contentLength) : undefined);
  if (decoders === undefined || decoders.length === 0) {
    received.checkExpected();
    const refusal = decoders === undefined ? 'unknown-encoding' : 'not-an-image';
    return bufferOrSpill(body, refusal, received, createTempFile);
  }
  const onUndone = (): void => {
    received.expectedLength = undefined;
  };
  let decoded: AsyncIterable<Buffer> = toChunks(body, received);
  for (const create of decoders) {
    decoded = decode(decoded, create, signal, mayBeDecoded ? onUndone : undefined);
  }
  try {
    const length = new LengthCheck(maxBytes);
    return await bufferOrSpill(toBatches(decoded), 'not-an-image', length, createTempFile);
  } catch (error) {
    signal.throwIfAborted();
    throw error instanceof SaveError ? error : new SaveError('broken-encoding', {}, error);
  }
}

async function* toChunks(body: AsyncIterable<Batch>, received: LengthCheck): AsyncGenerator<Buffer> {
  for await (const batch of body) {
    // Its length counts at its end: the decoders look at the first bytes before.
    received.add({ chunks: batch.chunks, last: false });
    yield* batch.chunks;
  }
  received.end();
}

async function* toBatches(decoded: AsyncIterable<Buffer>): AsyncGenerator<Batch> {
  for await (const chunk of decoded) yield { chunks: [chunk], last: false };
}

type Refusal = 'not-an-image' | 'unknown-encoding';

async function bufferOrSpill(
  batches: AsyncIterable<Batch>,
  refusal: Refusal,
  received: LengthCheck,
  createTempFile: () => TempFile,
): Promise<ImageBytes> {
  const start = new BodyStart(refusal);
  const buffered = new GrowingBuffer(received.expectedLength);
  let tempFile: TempFile | undefined;
  for await (const batch of batches) {
    received.add(batch);
    const { chunks, last } = batch;
    start.add(chunks);
    if (last) start.end();
    const [only] = chunks;
    // `res.end(image)` costs no copy here.
    if (last && only?.length === received.length) return new MemoryBytes(only);
    if (received.length <= MAX_BUFFERED_BYTES) {
      for (const chunk of chunks) buffered.append(chunk);
    } else {
      const first = tempFile === undefined ? [buffered.take()] : [];
      tempFile ??= createTempFile();
      const written = [...first, ...chunks];
      await tempFile.write(written.length > MAX_WRITE_CHUNKS ? [Buffer.concat(written)] : written);
    }
  }
  received.end();
  start.end();
  return tempFile ?? new MemoryBytes(buffered.take());
}

/** Refuses a body by its first bytes, so that no more of it is read. */
class BodyStart {
  readonly #refusal: Refusal;
  #head: Buffer = Buffer.alloc(0);
  #format: ReturnType<typeof sniffFormat> = 'undecided';

  constructor(refusal: Refusal) {
    this.#refusal = refusal;
  }

  /** @throws SaveError No image that can be saved begins like this. */
  add(chunks: readonly Buffer[]): void {
    for (const chunk of chunks) {
      if (this.#format !== 'undecided') return;
      // A copy: code that hands its own chunks on may use their memory again.
      this.#head = Buffer.concat([this.#head, chunk.subarray(0, MAGIC_BYTES - this.#head.length)]);
      this.#format = sniffFormat(this.#head);
      if (this.#format === 'none') throw new SaveError(this.#refusal);
    }
  }

  /** Call this after the last byte. An image that is too short to tell is left to the inspection. */
  end(): void {
    const isUnknown = this.#format === 'undecided' && this.#refusal === 'unknown-encoding';
    if (isUnknown) throw new SaveError(this.#refusal);
  }
}

/** Compares the arriving bytes with the announced length and with the limit. */
class LengthCheck {
  length = 0;
  expectedLength: number | undefined;
  readonly #maxBytes: number;

  constructor(maxBytes: number, expectedLength?: number) {
    this.#maxBytes = maxBytes;
    this.expectedLength = expectedLength;
  }

  /** @throws SaveError The announced length is over the limit: no byte needs to be read. */
  checkExpected(): void {
    this.#checkLimit(this.expectedLength ?? 0);
  }

  /** @throws SaveError The length is now certain to be wrong. */
  add({ chunks, last }: Batch): void {
    for (const chunk of chunks) this.length += chunk.length;
    this.#checkLimit(this.length);
    if (last) this.end();
  }

  /** Call this after the last byte. */
  end(): void {
    if (this.length !== (this.expectedLength ?? this.length)) throw new SaveError('length-mismatch');
  }

  #checkLimit(length: number): void {
    if (length > this.#maxBytes) throw new SaveError('too-many-bytes', { maxBytes: this.#maxBytes });
  }
}

/** Bytes in memory, joined: a buffer for each short chunk would take many times the memory of its bytes. */
class GrowingBuffer {
  readonly #firstLength: number;
  #bytes: Buffer = Buffer.alloc(0);
  #length = 0;

  /** @param expectedLength As announced, so it may be any number. A wrong one costs copies. */
  constructor(expectedLength = 0) {
    this.#firstLength = expectedLength > 0 ? Math.min(expectedLength, MAX_BUFFERED_BYTES) : 0;
  }

  append(chunk: Uint8Array): void {
    const length = this.#length + chunk.length;
    if (length > this.#bytes.length) {
      const smaller = this.#bytes;
      this.#bytes = createBuffer(Math.max(length, 2 * smaller.length, this.#firstLength));
      smaller.copy(this.#bytes, 0, 0, this.#length);
    }
    this.#bytes.set(chunk, this.#length);
    this.#length = length;
  }

  /** All bytes so far, without a copy: nothing may be appended afterwards. */
  take(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }
}
