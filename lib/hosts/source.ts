// Images that do not come by Node's response: from a Response of the Fetch API, or from code.
import { Readable } from 'node:stream';
import { types } from 'node:util';
import { copyBytes } from '../bytes/recycled-memory.js';
import { SaveError } from '../errors.js';
import type { Batch, RenderedHead, RenderedImage } from '../save/exchange.js';

/** An image for {@link createSource}. */
export type ImageSource =
  Uint8Array | Readable | ReadableStream<Uint8Array> | AsyncIterable<Uint8Array> | Blob | Response;

/** An image that can be read once, and how to let go of it. */
export interface Source {
  readonly rendered: RenderedImage;
  /** No more is read. May be called before, during and after reading. */
  release(): void;
}

const NO_HEAD: RenderedHead = { status: 200, contentLength: undefined, contentEncoding: '' };

/**
 * Takes an image of any kind. Bytes are copied at once, because the caller may change them.
 *
 * @throws SaveError `renderer-failed`: its body has been used before, or it is `Response.error()`.
 * @throws TypeError It is none of these kinds.
 */
export function createSource(image: ImageSource): Source {
  if (types.isUint8Array(image)) return fromBytes(copyBytes(image));
  if (isResponse(image)) return fromResponse(image);
  if (isObject(image)) {
    if ('getReader' in image) return fromStream(image, NO_HEAD);
    if (image instanceof Blob)
      return fromStream(image.stream(), { ...NO_HEAD, contentLength: String(image.size) });
    if (Symbol.asyncIterator in image) return fromIterable(image);
  }
  throw new TypeError(
    'An image is a Buffer or Uint8Array, a Readable or ReadableStream, an async iterable of bytes, a Blob or a Response',
  );
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function isResponse(value: unknown): value is Response {
  if (!isObject(value)) return false;
  // Not by instanceof: frameworks have classes of their own.
  const { status, headers, body } = value as Partial<Response>;
  return typeof status === 'number' && typeof headers?.get === 'function' && body !== undefined;
}

/**
 * Takes what a handler has returned.
 *
 * @throws SaveError `renderer-failed`: it is no `Response`, one that has been used, or `Response.error()`.
 */
export function fromResponse(value: unknown): Source {
  if (!isResponse(value)) throw failed('It returned no Response');
  if (value.bodyUsed || value.body?.locked === true) throw failed('The body of its Response has been used');
  if (value.status === 0) throw failed('It returned Response.error(), or a redirect that nothing may follow');
  const head = {
    status: value.status,
    contentLength: value.headers.get('content-length') ?? undefined,
    contentEncoding: value.headers.get('content-encoding') ?? '',
    retryAfter: value.headers.get('retry-after') ?? undefined,
    mayBeDecoded: true,
  };
  return value.body === null ? fromBytes(Buffer.alloc(0), head) : fromStream(value.body, head);
}

function failed(reason: string): SaveError {
  return new SaveError('renderer-failed', {}, new TypeError(reason));
}

function fromBytes(bytes: Buffer, head = NO_HEAD): Source {
  const batch: Batch = { chunks: [bytes], last: true };
  return { rendered: { ...head, body: Readable.from([batch]) }, release: () => undefined };
}

function fromStream(stream: ReadableStream<Uint8Array>, head: RenderedHead): Source {
  if (stream.locked) throw failed('The stream has been used');
  const reader = stream.getReader();
  return fromReads(
    () => reader.read(),
    () => reader.cancel(),
    head,
  );
}

function fromIterable(iterable: AsyncIterable<Uint8Array>): Source {
  const iterator = iterable[Symbol.asyncIterator]();
  if (!(iterable instanceof Readable)) {
    return fromReads(
      () => iterator.next(),
      () => iterator.return?.(),
      NO_HEAD,
    );
  }
  // An error that comes before the first read must not end the process. The read will have it.
  iterable.on('error', () => undefined);
  return fromReads(
    () => iterator.next(),
    () => iterable.destroy(),
    NO_HEAD,
  );
}

function fromReads(
  read: () => Promise<{ readonly done?: boolean | undefined; readonly value?: Uint8Array | undefined }>,
  stop: () => unknown,
  head: RenderedHead,
): Source {
  let released = false;
  async function* readBody(): AsyncGenerator<Batch> {
    for (;;) {
      const { done, value } = await read().catch((error: unknown) => {
        throw new SaveError('renderer-aborted', {}, error);
      });
      // A stream that is cancelled seems to end.
      if (released) throw new SaveError('renderer-aborted');
      if (done === true) return;
      if (!types.isUint8Array(value)) throw failed('Its stream has chunks that are no bytes');
      yield { chunks: [Buffer.from(value.buffer, value.byteOffset, value.byteLength)], last: false };
    }
  }
  const release = (): void => {
    released = true;
    // Not waited for: it may never settle, and its error concerns no save.
    new Promise((resolve) => {
      resolve(stop());
    }).catch(() => undefined);
  };
  return { rendered: { ...head, body: readBody() }, release };
}
