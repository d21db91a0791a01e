// Undoes the Content-Encoding of a rendered response.
import type { Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { SaveError } from '../errors.js';

/** The maximum number of codings. Each one costs a decoder with buffers, and no real renderer uses more. */
const MAX_CODINGS = 4;

const DECODERS: ReadonlyMap<string, () => Transform> = new Map<string, () => Transform>([
  ['gzip', createGunzip],
  ['x-gzip', createGunzip],
  ['deflate', createInflate],
  ['br', createBrotliDecompress],
]);

/**
 * Creates the decoders that undo a `Content-Encoding`, in the order in which the bytes go through them: the coding that
 * was applied last comes first. (RFC 9110, 8.4.)
 *
 * @returns An empty list if the body is not encoded.
 * @throws SaveError `unknown-encoding`: a coding is not known, or there are more than four.
 */
export function createDecoders(contentEncoding: string): Transform[] {
  const codings = contentEncoding
    .toLowerCase()
    .split(',')
    .map((coding) => coding.trim())
    .filter((coding) => coding !== '' && coding !== 'identity');
  if (codings.length > MAX_CODINGS) throw new SaveError('unknown-encoding', { maxCodings: MAX_CODINGS });
  // All codings are looked up first, because an unused decoder would have to be destroyed.
  const factories = codings.reverse().map((coding) => {
    const factory = DECODERS.get(coding);
    if (factory === undefined) throw new SaveError('unknown-encoding');
    return factory;
  });
  return factories.map((create) => create());
}
