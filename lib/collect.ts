// The batches of a reply → its bytes, with their encoding undone: in memory while they are few, else in a file.
import { Readable, type Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import type { ReplyHead } from './capture.js';
import { SaveError } from './errors.js';
import type { ImageBytes } from './image.js';
import type { Batch } from './reply-stream.js';
import type { Spool } from './store.js';

/** What is no more than this, in bytes, is not written before it has been inspected. */
const MOST_IN_MEMORY = 1024 * 1024;

const DECODERS: Readonly<Record<string, () => Transform>> = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
};

/**
 * What makes the decoders that undo a `Content-Encoding`, the one that was applied last first. (RFC 9110, 8.4.)
 *
 * @throws SaveError One of the encodings is not known.
 */
export function decodersFor(contentEncoding: string): (() => Transform)[] {
  const encodings = contentEncoding
    .toLowerCase()
    .split(',')
    .map((encoding) => encoding.trim());
  return encodings
    .filter((encoding) => encoding !== '' && encoding !== 'identity')
    .reverse()
    .map((encoding) => {
      const decoder = Object.hasOwn(DECODERS, encoding) ? DECODERS[encoding] : undefined;
      if (decoder !== undefined) return decoder;
      throw new SaveError(
        'unknown-encoding',
        'The image arrived in an encoding that cannot be undone. Tell the operator of this server.',
      );
    });
}

/**
 * Takes the body of a reply to its end.
 *
 * A chunk may be changed by the renderer once the next batch is asked for, so what stays in memory is copied,
 * unless it is the only one: `res.end(image)` costs no copy.
 *
 * @param spool Where bytes go that are too many for memory. After a failure it may hold some.
 * @throws SaveError The body is longer than `maxBytes`, not as long as announced, or its encoding is broken.
 */
export async function collect(
  body: AsyncIterable<Batch>,
  head: ReplyHead,
  spool: Spool,
  maxBytes: number,
): Promise<ImageBytes> {
  const decoders = decodersFor(head.contentEncoding).map((make) => make());
  const received = measured(body, head, maxBytes);
  const lastDecoder = decoders.at(-1);
  if (lastDecoder === undefined) return keep(received, spool, maxBytes);
  try {
    const [bytes] = await Promise.all([
      keep(batches(lastDecoder), spool, maxBytes),
      pipeline([Readable.from(copies(received)), ...decoders]),
    ]);
    return bytes;
  } catch (error) {
    if (error instanceof SaveError) throw error;
    throw new SaveError('broken-encoding', 'The image arrived damaged. Try again.', error);
  }
}

/** Holds what arrives against what was announced and what is allowed, as it arrives. */
async function* measured(
  body: AsyncIterable<Batch>,
  head: ReplyHead,
  maxBytes: number,
): AsyncGenerator<Batch> {
  const announced = head.contentLength === undefined ? undefined : Number(head.contentLength);
  let length = 0;
  for await (const batch of body) {
    length += sizeOf(batch.chunks);
    if (length > maxBytes) throw tooManyBytes(maxBytes);
    if (batch.last) checkLength(length, announced);
    yield batch;
  }
  checkLength(length, announced);
}

function checkLength(length: number, announced: number | undefined): void {
  if (announced === undefined || length === announced) return;
  throw new SaveError('length-mismatch', 'The image arrived shorter or longer than announced. Try again.');
}

async function keep(received: AsyncIterable<Batch>, spool: Spool, maxBytes: number): Promise<ImageBytes> {
  let kept: Buffer[] = [];
  let length = 0;
  for await (const { chunks, last } of received) {
    length += sizeOf(chunks);
    if (length > maxBytes) throw tooManyBytes(maxBytes);
    const [only] = chunks;
    if (last && only?.length === length) return only;
    if (length <= MOST_IN_MEMORY) {
      kept.push(...chunks.map((chunk) => Buffer.from(chunk)));
    } else {
      await spool.write([...kept, ...chunks]);
      kept = [];
    }
  }
  return length <= MOST_IN_MEMORY ? Buffer.concat(kept) : spool;
}

/** The refusal of an image that is too long, found by its announcement or by counting. */
export function tooManyBytes(maxBytes: number): SaveError {
  return new SaveError(
    'too-many-bytes',
    `Ask for a smaller image: no more than ${maxBytes} bytes are saved.`,
  );
}

function sizeOf(chunks: readonly Buffer[]): number {
  return chunks.reduce((size, chunk) => size + chunk.length, 0);
}

/** A decoder may look at a chunk after it has asked for the next. */
async function* copies(received: AsyncIterable<Batch>): AsyncGenerator<Buffer> {
  for await (const { chunks } of received) {
    for (const chunk of chunks) yield Buffer.from(chunk);
  }
}

async function* batches(decoded: AsyncIterable<Buffer>): AsyncGenerator<Batch> {
  for await (const chunk of decoded) yield { chunks: [chunk], last: false };
}
