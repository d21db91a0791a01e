// Images that do not come by Node's response: from a Response of the Fetch API, or from code.
import { Readable } from 'node:stream';
import { types } from 'node:util';
import { copyBytes } from '../bytes/recycled-memory.js';
import { SaveError } from '../errors.js';
import type { BodyChunks, ResponseHead, RenderedImage } from '../save/exchange.js';

/** An image for {@link createSource}. */
export type ImageSource =
  Uint8Array | Readable | ReadableStream<Uint8Array> | AsyncIterable<Uint8Array> | Blob | Response;

export interface Source {
  /** @throws SaveError `renderer-failed`: it has been used before, or is no image at all. */
  readonly rendered: RenderedImage;
  /** May be called before, during and after reading. */
  readonly endReading: () => void;
}

const NO_HEAD: ResponseHead = { status: 200, contentLength: undefined, contentEncoding: '' };

/**
 * Takes an image by what it can do: libraries have responses, blobs and streams of their own classes.
 *
 * @throws TypeError It is of no such kind.
 */
export function createSource(image: unknown): Source {
  if (isResponse(image)) return fromResponse(image);
  const source = isBlob(image)
    ? fromBody(image.stream(), { ...NO_HEAD, contentLength: String(image.size) })
    : fromBody(image, NO_HEAD);
  if (source !== undefined) return source;
  throw new TypeError(
    'An image is a Buffer or Uint8Array, a Readable or ReadableStream, an async iterable of bytes, a Blob or a Response',
  );
}

/** Takes what a handler has returned. */
export function fromResponse(value: unknown): Source {
  if (!isResponse(value)) return refused('It returned no Response');
  if (value.bodyUsed) return refused('The body of its Response has been used');
  if (value.status === 0)
    return refused('It returned Response.error(), or a redirect that nothing may follow');
  const head = {
    status: value.status,
    contentLength: value.headers.get('content-length') ?? undefined,
    contentEncoding: value.headers.get('content-encoding') ?? '',
    retryAfter: value.headers.get('retry-after') ?? undefined,
    mayBeDecoded: true,
  };
  return fromBody(value.body ?? Buffer.alloc(0), head) ?? refused('The body of its Response is no stream');
}

// A value of any kind has these properties or not, except for null and undefined.
const propertiesOf = <Kind>(value: unknown): Partial<Kind> => Object(value ?? {}) as Partial<Kind>;

function isResponse(value: unknown): value is Response {
  const { status, headers, body } = propertiesOf<Response>(value);
  return typeof status === 'number' && typeof headers?.get === 'function' && body !== undefined;
}

function isBlob(value: unknown): value is Blob {
  const { size, stream } = propertiesOf<Blob>(value);
  return typeof size === 'number' && typeof stream === 'function';
}

/** @returns Undefined if it can be read in none of these ways. */
function fromBody(body: unknown, head: ResponseHead): Source | undefined {
  if (types.isUint8Array(body)) {
    // The caller may change its bytes.
    const whole: BodyChunks = { chunks: [copyBytes(body)], last: true };
    return { rendered: { ...head, body: Readable.from([whole]) }, endReading: () => undefined };
  }
  const { getReader, [Symbol.asyncIterator]: iterate } = propertiesOf<ReadableStream & Readable>(body);
  if (getReader !== undefined) return fromStream(body as ReadableStream<Uint8Array>, head);
  if (iterate !== undefined) return fromIterable(body as AsyncIterable<Uint8Array>, head);
  return undefined;
}

function failed(reason: string): SaveError {
  return new SaveError('renderer-failed', {}, new TypeError(reason));
}

/** An image whose save fails. */
function refused(reason: string): Source {
  return {
    get rendered(): never {
      throw failed(reason);
    },
    endReading: () => undefined,
  };
}

function fromStream(stream: ReadableStream<Uint8Array>, head: ResponseHead): Source {
  if (stream.locked || Readable.isDisturbed(stream as never)) return refused('The stream has been used');
  const reader = stream.getReader();
  const cancel = (): unknown => reader.cancel();
  return fromReads(() => reader.read(), cancel, head);
}

function fromIterable(iterable: AsyncIterable<Uint8Array>, head: ResponseHead): Source {
  const stream = iterable as Partial<Pick<Readable, 'readableEnded' | 'on' | 'destroy'>>;
  if (stream.readableEnded === true) return refused('The stream has been read');
  // An error that comes before the first read must not end the process. The read will have it.
  stream.on?.('error', () => undefined);
  let iterator: AsyncIterator<Uint8Array> | undefined;
  return fromReads(
    () => (iterator ??= iterable[Symbol.asyncIterator]()).next(),
    // The end of a stream's iterator would wait for the next chunk.
    () => (typeof stream.destroy === 'function' ? stream.destroy() : iterator?.return?.()),
    head,
  );
}

function fromReads(
  read: () => Promise<{ readonly done?: boolean | undefined; readonly value?: unknown }>,
  stop: () => unknown,
  head: ResponseHead,
): Source {
  let readingEnded = false;
  async function* readBody(): AsyncGenerator<BodyChunks> {
    for (;;) {
      let next;
      try {
        next = await read();
        // A cancelled stream ends without an error.
        if (readingEnded) throw new Error('The save has ended');
        if (next.done === true) return;
      } catch (error) {
        throw new SaveError('renderer-aborted', {}, error);
      }
      const { value } = next;
      if (!types.isUint8Array(value)) throw failed('Its stream has chunks that are no bytes');
      yield { chunks: [Buffer.from(value.buffer, value.byteOffset, value.byteLength)], last: false };
    }
  }
  const endReading = (): void => {
    readingEnded = true;
    // Not waited for: it may never settle, and its error concerns no save.
    new Promise((resolve) => {
      resolve(stop());
    }).catch(() => undefined);
  };
  return { rendered: { ...head, body: readBody() }, endReading };
}
