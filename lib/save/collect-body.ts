// The body of a rendered response → its bytes, decoded: in memory while they are few, else in a temporary file.
import { MemoryBytes, type ImageBytes, type TempFile } from '../bytes/image-bytes.js';
import { createBuffer } from '../bytes/recycled-memory.js';
import { SaveError } from '../errors.js';
import { MAGIC_BYTES, sniffFormat } from '../image/formats.js';
import { decode, findDecoders } from './content-decoders.js';
import type { BodyChunks, RenderedImage } from './exchange.js';

/** A longer image that arrives in pieces goes to a file. */
const MAX_BUFFERED_BYTES = 1024 * 1024;

/** The maximum number of buffers in one write. (POSIX, IOV_MAX; Linux: 1024.) */
const MAX_WRITE_CHUNKS = 1000;

export interface CollectOptions {
  readonly maxBytes: number;
  readonly createTempFile: () => TempFile;
  /** Ends the decoding, so that no endless encoding outlives its save. */
  readonly signal: AbortSignal;
}

/**
 * Reads a body to its end. One with an unknown encoding that begins like an image is taken as it is.
 *
 * @throws SaveError Also the reason of the signal, once that has aborted while the body was decoded.
 */
export async function collectBody(
  { body, contentEncoding, contentLength, mayBeDecoded = false }: RenderedImage,
  { maxBytes, createTempFile, signal }: CollectOptions,
): Promise<ImageBytes> {
  const decoders = findDecoders(contentEncoding);
  // Where `fetch` may have undone an unknown encoding, the length is that of the encoded bytes.
  const isUsable = contentLength !== undefined && !(mayBeDecoded && decoders === undefined);
  let expectedLength = isUsable ? Number(contentLength) : undefined;
  const received = { maxBytes, announced: () => expectedLength };
  if (decoders === undefined || decoders.length === 0) {
    // No byte needs to be read.
    if ((expectedLength ?? 0) > maxBytes) throw new SaveError('too-many-bytes', { maxBytes });
    const refusal = decoders === undefined ? 'unknown-encoding' : 'not-an-image';
    return bufferOrSpill(check(body, { ...received, refusal }), createTempFile, expectedLength);
  }
  const onUndone = (): void => {
    expectedLength = undefined;
  };
  // Without `last`, so that the length is compared at the end: until then a decoder may call `onUndone`.
  let decoded = eachChunk(check(toBody(eachChunk(body)), received));
  for (const create of decoders) {
    decoded = decode(decoded, create, signal, mayBeDecoded ? onUndone : undefined);
  }
  try {
    const checked = check(toBody(decoded), { maxBytes, refusal: 'not-an-image' });
    return await bufferOrSpill(checked, createTempFile);
  } catch (error) {
    signal.throwIfAborted();
    throw error instanceof SaveError ? error : new SaveError('broken-encoding', {}, error);
  }
}

async function* eachChunk(body: AsyncIterable<BodyChunks>): AsyncGenerator<Buffer> {
  for await (const { chunks } of body) yield* chunks;
}

async function* toBody(chunks: AsyncIterable<Buffer>): AsyncGenerator<BodyChunks> {
  for await (const chunk of chunks) yield { chunks: [chunk], last: false };
}

interface Expected {
  readonly maxBytes: number;
  /** The length; read at the end. */
  readonly announced?: () => number | undefined;
  /** The code for bytes that begin like no image that can be saved. Without one they are not looked at. */
  readonly refusal?: 'not-an-image' | 'unknown-encoding';
}

/** Checks the bytes of a body as they pass. One too short to tell how it begins is left to the inspection. */
async function* check(
  body: AsyncIterable<BodyChunks>,
  { maxBytes, announced, refusal }: Expected,
): AsyncGenerator<BodyChunks> {
  let length = 0;
  let head: Buffer = Buffer.alloc(0);
  let format: ReturnType<typeof sniffFormat> = 'undecided';
  const checkEnd = (): void => {
    if (length !== (announced?.() ?? length)) throw new SaveError('length-mismatch');
    if (format === 'undecided' && refusal === 'unknown-encoding') throw new SaveError(refusal);
  };
  for await (const part of body) {
    for (const chunk of part.chunks) {
      length += chunk.length;
      if (refusal === undefined || format !== 'undecided') continue;
      // A copy: code that hands its own chunks on may use their memory again.
      head = Buffer.concat([head, chunk.subarray(0, MAGIC_BYTES - head.length)]);
      format = sniffFormat(head);
    }
    if (length > maxBytes) throw new SaveError('too-many-bytes', { maxBytes });
    if (refusal !== undefined && format === 'none') throw new SaveError(refusal);
    if (part.last) checkEnd();
    yield part;
  }
  checkEnd();
}

/** @param expectedLength As announced, so it may be any number. A wrong one costs copies. */
async function bufferOrSpill(
  body: AsyncIterable<BodyChunks>,
  createTempFile: () => TempFile,
  expectedLength = 0,
): Promise<ImageBytes> {
  const firstLength = expectedLength > 0 ? Math.min(expectedLength, MAX_BUFFERED_BYTES) : 0;
  // Joined: a buffer for each short chunk would take many times the memory of its bytes.
  let buffered: Buffer = Buffer.alloc(0);
  let length = 0;
  let tempFile: TempFile | undefined;
  for await (const { chunks, last } of body) {
    let at = length;
    for (const chunk of chunks) length += chunk.length;
    const [only] = chunks;
    // No second copy: `CapturedBody` has copied what `res.end(image)` got.
    if (last && only?.length === length) return new MemoryBytes(only);
    if (length <= MAX_BUFFERED_BYTES) {
      if (length > buffered.length) {
        const larger = createBuffer(Math.max(length, 2 * buffered.length, firstLength));
        buffered.copy(larger, 0, 0, at);
        buffered = larger;
      }
      for (const chunk of chunks) at += chunk.copy(buffered, at);
    } else {
      const first = tempFile === undefined ? [buffered.subarray(0, at)] : [];
      tempFile ??= createTempFile();
      const written = [...first, ...chunks];
      await tempFile.write(written.length > MAX_WRITE_CHUNKS ? [Buffer.concat(written)] : written);
    }
  }
  return tempFile ?? new MemoryBytes(buffered.subarray(0, length));
}
