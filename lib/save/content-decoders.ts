// Undoes the Content-Encoding of a rendered response.
import type { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createBrotliDecompress, createGunzip, createInflate, createInflateRaw } from 'node:zlib';
import { MAGIC_BYTES, getFormatByBytes, sniffFormat } from '../image/formats.js';

/** Each one costs buffers, and no real renderer uses more. */
const MAX_CODINGS = 4;

/** The low half of the first byte of zlib's format: the method "deflate". (RFC 1950, 2.2.) */
const ZLIB_METHOD = 8;

/** So many bytes tell whether a body is text. */
const TEXT_BYTES = 16;

/** Makes the decoder for a body that begins with some bytes. */
type DecoderFactory = (head: Buffer) => Transform;

/** Some servers (IIS) leave out the zlib header that RFC 9110 asks for. Browsers and `fetch` undo both. */
const createAnyInflate: DecoderFactory = ([first = ZLIB_METHOD]) =>
  (first & 0xf) === ZLIB_METHOD ? createInflate() : createInflateRaw();

const DECODERS = new Map<string, DecoderFactory>([
  ['gzip', () => createGunzip()],
  ['x-gzip', () => createGunzip()],
  ['deflate', createAnyInflate],
  ['br', () => createBrotliDecompress()],
]);

/**
 * The decoders that undo a `Content-Encoding`, in the order to run them: the coding that was applied last comes first.
 * Undefined if a coding is not known or there are too many. (RFC 9110, 8.4.)
 */
export function findDecoders(contentEncoding: string): readonly DecoderFactory[] | undefined {
  const codings = contentEncoding
    .toLowerCase()
    .split(',')
    .map((coding) => coding.trim())
    .filter((coding) => coding !== '' && coding !== 'identity');
  const decoders = codings.reverse().flatMap((coding) => DECODERS.get(coding) ?? []);
  return decoders.length < codings.length || codings.length > MAX_CODINGS ? undefined : decoders;
}

/**
 * @param onUndone Called if the bytes begin like an image or a text, so that the coding has been undone on the way; they
 * are handed on as they are. Without this function, the coding is always undone.
 */
export async function* decode(
  source: AsyncGenerator<Buffer>,
  create: DecoderFactory,
  signal: AbortSignal,
  onUndone?: () => void,
): AsyncGenerator<Buffer> {
  const { head, all } = await peek(source);
  if (onUndone !== undefined && (getFormatByBytes(head) !== undefined || isText(head))) {
    onUndone();
    yield* all;
    return;
  }
  const decoder = create(head);
  // The pipeline destroys the decoder with its error, which ends the loop below.
  const piped = pipeline(all, decoder, { signal });
  piped.catch(() => undefined);
  yield* decoder as AsyncIterable<Buffer>;
  await piped;
}

/** An error page, for example. No coded bytes begin like this. */
function isText(head: Buffer): boolean {
  return /^(?:\xef\xbb\xbf)?[\t\n\r\x20-\x7e]+$/.test(head.toString('latin1', 0, TEXT_BYTES));
}

/** Reads as many bytes as it takes to recognise an image or a text. */
async function peek(
  source: AsyncGenerator<Buffer>,
): Promise<{ readonly head: Buffer; readonly all: AsyncGenerator<Buffer> }> {
  let head: Buffer = Buffer.alloc(0);
  while (head.length < TEXT_BYTES || (head.length < MAGIC_BYTES && sniffFormat(head) === 'undecided')) {
    const next = await source.next();
    if (next.done === true) break;
    head = head.length === 0 ? next.value : Buffer.concat([head, next.value]);
  }
  async function* all(): AsyncGenerator<Buffer> {
    try {
      if (head.length > 0) yield head;
      yield* source;
    } finally {
      await source.return(undefined);
    }
  }
  return { head, all: all() };
}
