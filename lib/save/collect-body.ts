// The batches of a reply → its bytes, with their encoding undone: in memory while they are few, else in a file.
import { Readable, type Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import type { ResponseHead } from '../capture/response-capture.js';
import { SaveError } from '../errors.js';
import type { ImageBytes } from '../image/types.js';
import type { Batch } from '../capture/captured-body.js';
import type { TempFile } from '../temp-files/types.js';

/** What is no more than this, in bytes, is not written before it has been inspected. */
const MAX_BUFFERED_BYTES = 1024 * 1024;

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
 * @param createTempFile Makes the place where bytes go that are too many for memory. After a failure it may hold some.
 * @throws SaveError The body is longer than `maxBytes`, not as long as announced, or its encoding is broken.
 */
export async function collectBody(
  body: AsyncIterable<Batch>,
  head: ResponseHead,
  createTempFile: () => TempFile,
  maxBytes: number,
): Promise<ImageBytes> {
  const expectedLength = head.contentLength === undefined ? undefined : Number(head.contentLength);
  const count = new LengthCheck(maxBytes, expectedLength);
  const decoders = decodersFor(head.contentEncoding).map((make) => make());
  const lastDecoder = decoders.at(-1);
  if (lastDecoder === undefined) return bufferOrSpill(body, count, createTempFile);
  try {
    const [bytes] = await Promise.all([
      bufferOrSpill(batches(lastDecoder), new LengthCheck(maxBytes), createTempFile),
      pipeline([Readable.from(copies(body, count)), ...decoders]),
    ]);
    return bytes;
  } catch (error) {
    if (error instanceof SaveError) throw error;
    throw new SaveError('broken-encoding', 'The image arrived damaged. Try again.', error);
  }
}

/** Holds what arrives against what was announced and what is allowed, as it arrives. */
class LengthCheck {
  length = 0;
  readonly #maxBytes: number;
  readonly #expectedLength: number | undefined;

  constructor(maxBytes: number, expectedLength?: number) {
    this.#maxBytes = maxBytes;
    this.#expectedLength = expectedLength;
  }

  /** @throws SaveError Here at the latest it is sure that the length is wrong. */
  add({ chunks, last }: Batch): void {
    for (const chunk of chunks) this.length += chunk.length;
    if (this.length > this.#maxBytes) throw tooManyBytes(this.#maxBytes);
    if (last) this.end();
  }

  /** To be called when nothing follows. */
  end(): void {
    if (this.#expectedLength === undefined || this.length === this.#expectedLength) return;
    throw new SaveError('length-mismatch', 'The image arrived shorter or longer than announced. Try again.');
  }
}

async function bufferOrSpill(
  received: AsyncIterable<Batch>,
  count: LengthCheck,
  createTempFile: () => TempFile,
): Promise<ImageBytes> {
  let tempFile: TempFile | undefined;
  let buffered: Buffer[] = [];
  for await (const batch of received) {
    count.add(batch);
    const { chunks, last } = batch;
    const [only] = chunks;
    if (last && only?.length === count.length) return only;
    if (count.length <= MAX_BUFFERED_BYTES) {
      buffered.push(...chunks.map((chunk) => Buffer.from(chunk)));
    } else {
      tempFile ??= createTempFile();
      await tempFile.write([...buffered, ...chunks]);
      buffered = [];
    }
  }
  count.end();
  return tempFile ?? Buffer.concat(buffered);
}

/** The refusal of an image that is too long, found by its announcement or by counting. */
export function tooManyBytes(maxBytes: number): SaveError {
  return new SaveError(
    'too-many-bytes',
    `Ask for a smaller image: no more than ${maxBytes} bytes are saved.`,
  );
}

/** A decoder may look at a chunk after it has asked for the next. */
async function* copies(body: AsyncIterable<Batch>, count: LengthCheck): AsyncGenerator<Buffer> {
  for await (const batch of body) {
    count.add(batch);
    for (const chunk of batch.chunks) yield Buffer.from(chunk);
  }
  count.end();
}

async function* batches(decoded: AsyncIterable<Buffer>): AsyncGenerator<Batch> {
  for await (const chunk of decoded) yield { chunks: [chunk], last: false };
}
