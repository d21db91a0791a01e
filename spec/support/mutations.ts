// Changed copies of files, for tests with random input.
import fc from 'fast-check';

/** One change of a file. Positions are scaled to the length of the file. */
interface Mutation {
  readonly kind: 'set' | 'insert' | 'cut' | 'copy';
  readonly at: number;
  /** The bytes to set or insert. */
  readonly bytes: Uint8Array;
  /** The number of bytes to cut or copy. */
  readonly count: number;
  /** Where the copy is inserted. */
  readonly to: number;
}

const bytesFromHex = (hex: string): Uint8Array =>
  Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'));

/** Values at the limits of their width, and bytes with a meaning in one of the formats. */
const TELLING_BYTES = Object.values({
  limits:
    '00, 01, 7f, 80, ff, 0000, 0001, 0008, ffff, fffe, 7fff, 00000000, 00000001, 00000010, 7fffffff, 80000000, ' +
    'ffffffff, 0000000000000000, 8000000000000000, ffffffffffffffff, 0000000000000001',
  jpeg:
    'ffff, ffffff, ffc0, ffc2, ffda, ffd8, ffd9, ff00, ffe0 0002, ffdc 0004 0010, ' +
    'ffc0 0011 08 0001 0001 03 011100 021100 031100, ffc4 0002, ffdd 0004 0001, fff0 0004 0000',
  // IDAT, IEND, IHDR, tEXt
  png: '49444154, 49454e44, 49484452, 00000000 74455874 00000000',
  gif: '2c, 21, 3b, 21fe 00',
  // VP8, ANMF
  webp: '56503820, 414e4d46',
  // mdat, meta, iloc, moov, trak, stco
  avif: '6d646174, 6d657461, 696c6f63, 6d6f6f76, 7472616b, 7374636f, 00000000 6d646174',
  // Tags and types, both ways round.
  tiff: '0111, 1101, 0117, 1701, 0144, 4401, 014a, 4a01, 0201, 0102, 2b00, 002b, 6300',
}).flatMap((list) => list.split(', ').map(bytesFromHex));

const POSITIONS = 1 << 16;
// Most offsets are near the beginning, so half of the changes are made there.
const position = fc.oneof(fc.nat(POSITIONS >> 6), fc.nat(POSITIONS - 1));
const newBytes = fc.oneof(fc.constantFrom(...TELLING_BYTES), fc.uint8Array({ minLength: 1, maxLength: 8 }));

const mutation: fc.Arbitrary<Mutation> = fc.record({
  kind: fc.constantFrom('set', 'set', 'set', 'insert', 'insert', 'cut', 'copy'),
  at: position,
  bytes: newBytes,
  count: fc.nat(300),
  to: position,
});

/** Lists of changes, to be made by {@link mutate}. */
export const mutations: fc.Arbitrary<readonly Mutation[]> = fc.array(mutation, {
  minLength: 1,
  maxLength: 6,
});

/** A copy of a file with changes made to it. */
export function mutate(original: Buffer, changes: readonly Mutation[]): Buffer {
  let bytes = Buffer.from(original);
  const scale = (at: number): number => Math.floor((at / POSITIONS) * bytes.length);
  for (const change of changes) {
    const at = scale(change.at);
    if (change.kind === 'set') {
      bytes.set(change.bytes.subarray(0, bytes.length - at), at);
    } else if (change.kind === 'insert') {
      bytes = Buffer.concat([bytes.subarray(0, at), change.bytes, bytes.subarray(at)]);
    } else if (change.kind === 'cut') {
      bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + change.count)]);
    } else {
      const to = scale(change.to);
      bytes = Buffer.concat([
        bytes.subarray(0, to),
        bytes.subarray(at, at + change.count),
        bytes.subarray(to),
      ]);
    }
  }
  return bytes;
}
