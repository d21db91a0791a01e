// PNG chunks that no encoder writes, and those of an animation.
import { crc32 } from 'node:zlib';
import { verdictOn } from '../../../support/image-walks.js';

const chunk = (type: string, length: number): Buffer => {
  const bytes = Buffer.alloc(12);
  bytes.writeUInt32BE(length);
  bytes.write(type, 4, 'latin1');
  return bytes;
};
const png = (...chunks: Buffer[]): Buffer =>
  Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), ...chunks]);

it.each([
  ['refuses a chunk type that is no word', png(chunk('ID\0T', 0), chunk('IEND', 0)), 'broken-image'],
  ['refuses a length above 2 ** 31', png(chunk('IDAT', 0xffffffff)), 'broken-image'],
  [
    'refuses a chunk longer than the file',
    png(chunk('IDAT', 0x7fffffff), chunk('IEND', 0)),
    'incomplete-image',
  ],
  ['refuses an IEND that announces a byte that is missing', png(chunk('IEND', 1)), 'incomplete-image'],
])('%s', async (_claim, bytes, code) => {
  expect(await verdictOn('png', bytes)).toBe(code);
});

/** A chunk of numbers of 32 bits and then some bytes. */
const filled = (type: string, numbers: number[], rest = 0): Buffer => {
  const bytes = Buffer.concat([
    chunk(type, 4 * numbers.length + rest),
    Buffer.alloc(4 * numbers.length + rest),
  ]);
  for (const [index, number] of numbers.entries()) bytes.writeUInt32BE(number, 8 + 4 * index);
  bytes.writeUInt32BE(crc32(bytes.subarray(4, -4)), bytes.length - 4);
  return bytes;
};
const announce = (frames: number): Buffer => filled('acTL', [frames, 0]);
const head = (sequence: number): Buffer => filled('fcTL', [sequence, 8, 8, 0, 0], 6);
const data = (sequence: number, length = 2000): Buffer => filled('fdAT', [sequence], length);
const damaged = (bytes: Buffer): Buffer => Buffer.from(bytes).fill(0, 8, bytes.length - 4);
const image = filled('IDAT', [], 2000);
const end = filled('IEND', []);

it.each([
  ['one frame', 'whole', [announce(1), head(0), image]],
  ['all frames', 'whole', [announce(2), head(0), image, head(1), data(2)]],
  ['data in several chunks, one of them empty', 'whole', [announce(1), image, head(0), data(1, 0), data(2)]],
  ['a still image that is no frame', 'whole', [announce(2), image, head(0), data(1), head(2), data(3)]],
  ['its announcement behind a frame', 'whole', [head(0), announce(2), image, head(1), data(2)]],
  ['an unknown number of frames', 'whole', [announce(0xffffffff), head(0), image, head(1), data(2)]],
  ['odd chunks and no announcement', 'whole', [head(7), image, head(3), data(9), damaged(data(1))]],
  ['its announcement behind the image', 'whole', [image, announce(2), head(5)]],
  ['its last frame missing', 'incomplete-image', [announce(2), head(0), image]],
  ['an inner frame missing', 'incomplete-image', [announce(2), head(0), image, head(3), data(4)]],
  ['a part of a frame missing', 'incomplete-image', [announce(1), image, head(0), data(1), data(3)]],
  ['no data in its last frame', 'incomplete-image', [announce(2), head(0), image, head(1), data(2, 0)]],
  ['no data in an inner frame', 'incomplete-image', [announce(2), image, head(0), head(1), data(2)]],
  ['frames missing of unknown number', 'incomplete-image', [announce(2 ** 31), image, head(2), data(3)]],
  ['more frames than announced', 'broken-image', [announce(1), head(0), image, head(1), data(2)]],
  ['zeros for a frame', 'broken-image', [announce(1), image, head(0), damaged(filled('fdAT', [1, 5], 2000))]],
  ['zeros for the head of a frame', 'broken-image', [announce(1), damaged(head(0)), image]],
  ['zeros for its announcement', 'broken-image', [damaged(announce(2)), head(0), image]],
])('of an animation with %s, the verdict is %s', async (_content, verdict, chunks) => {
  expect(await verdictOn('png', png(...chunks, end))).toBe(verdict);
});
