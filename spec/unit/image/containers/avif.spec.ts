// AVIF boxes that no encoder writes, or writes rarely.
import fc from 'fast-check';
import { verdictOn } from '../../../support/image-walks.js';
import { box, noise } from '../../../support/images.js';

const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex');
const ftyp = box('ftyp', Buffer.from('avif\0\0\0\0'));
const sequenceFtyp = box('ftyp', Buffer.from('avis\0\0\0\0'));
// One item, one extent: 0x10 bytes at `offset`.
const meta = (offset: string): Buffer =>
  box('meta', '00000000', box('iloc', `01000000 4400 0001 0001 0000 0000 0001 ${offset} 00000010`));
const file = (...parts: readonly (Buffer | string)[]): Buffer =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? bytes(part) : part)));
/** The type of a box that holds data. */
const MDAT = '6d646174';
const openMdat = file('00000000', MDAT, Buffer.alloc(16));
const chunkOffsets = (type: string, hex: string): Buffer =>
  box('moov', box('trak', box('mdia', box('minf', box('stbl', box(type, `00000000 00000001 ${hex}`))))));

it.each([
  ['accepts an item in a box without a size', 'whole', file(ftyp, meta('00000044'), openMdat)],
  ['refuses it cut', 'incomplete-image', file(ftyp, meta('00000044'), openMdat).subarray(0, -1)],
  ['refuses an item beyond the end of the file', 'incomplete-image', file(ftyp, meta('7fffffff'), openMdat)],
  ['refuses a file without item locations', 'incomplete-image', file(ftyp, openMdat)],
  ['refuses a box smaller than its head before the items', 'incomplete-image', file(ftyp, '00000007', MDAT)],
  [
    'accepts a box with a 64-bit size',
    'whole',
    file(ftyp, meta('0000004c'), '00000001', MDAT, '0000000000000020', Buffer.alloc(16)),
  ],
  [
    'accepts a box longer than any file behind the last item',
    'whole',
    file(ftyp, meta('00000010'), '00000001', MDAT, 'ffffffffffffffff'),
  ],
  ['refuses half a 64-bit size before the items', 'incomplete-image', file(ftyp, '00000001', MDAT, '3030')],
  [
    'accepts a sequence with its last chunk in a complete box',
    'whole',
    file(sequenceFtyp, chunkOffsets('stco', '00000020'), box('mdat', Buffer.alloc(9))),
  ],
  [
    'refuses a sequence whose chunks are beyond the end of the file',
    'incomplete-image',
    file(sequenceFtyp, chunkOffsets('stco', '00001000')),
  ],
  [
    'refuses a sequence whose 64-bit chunk offsets are beyond the end of the file',
    'incomplete-image',
    file(sequenceFtyp, chunkOffsets('co64', 'ffffffffffffffff')),
  ],
  [
    'refuses a sequence in a box without a size, whose end is unknown',
    'incomplete-image',
    file(sequenceFtyp, chunkOffsets('stco', '00000054'), openMdat),
  ],
])('%s', async (_claim, code, image) => {
  expect(await verdictOn('avif', image)).toBe(code);
});

/** Bytes that look like the head of a box of any size and type, or like nothing. */
const bytesBehind = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 40 }),
  fc
    .tuple(
      fc.constantFrom('00000000', '00000001', '00000004', '0000000c', '00001000', '7fffffff', 'ffffffff'),
      fc.constantFrom('mdat', 'meta', 'moov', 'ftyp', 'free', 'trak', 'stco', 'iloc', 'none'),
      fc.uint8Array({ maxLength: 40 }),
    )
    .map(([size, type, body]) => Buffer.concat([bytes(size), Buffer.from(type), body])),
);

/** A sequence of one chunk, whose metadata comes before it. */
const sequence = file(sequenceFtyp, chunkOffsets('stco', '00000054'), box('mdat', Buffer.alloc(64, 7)));

it('accepts any bytes behind a still image or a sequence', async () => {
  const still = await noise(20, 17).avif({ effort: 0 }).toBuffer();
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(still, sequence), bytesBehind, async (image, behind) => {
      expect(await verdictOn('avif', Buffer.concat([image, behind]))).toBe('whole');
    }),
    { numRuns: 500, seed: 8 },
  );
});

it('refuses a sequence wherever it is cut, its metadata before or behind its chunks', async () => {
  const mdat = box('mdat', Buffer.alloc(64, 7));
  const metadataLast = file(sequenceFtyp, mdat, chunkOffsets('stco', '00000018'));
  for (const whole of [sequence, metadataLast]) {
    expect(await verdictOn('avif', whole)).toBe('whole');
    for (let length = 16; length < whole.length; length += 1) {
      expect([length, await verdictOn('avif', whole.subarray(0, length))]).toEqual([
        length,
        'incomplete-image',
      ]);
    }
  }
});
