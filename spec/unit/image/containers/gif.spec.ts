// GIF blocks that no encoder writes, or writes rarely.
import { LzwPixelCounter } from '../../../../lib/image/containers/gif.js';
import { verdictOn } from '../../../support/image-walks.js';
import { noise } from '../../../support/images.js';

const gif = (hex: string): Buffer =>
  Buffer.from(`47494638396101000100000000${hex}`.replaceAll(' ', ''), 'hex');

it.each([
  [
    'accepts an extension, a stray terminator and an image',
    '21fe 0141 00 00 2c0000000001000100 00 02 024401 00 3b',
    'whole',
  ],
  ['accepts a colour table of an image', '2c0000000001000100 80 000000ffffff 02 024401 00 3b', 'whole'],
  ['refuses two pixels without data', '2c0000000002000100 00 02 00 3b', 'incomplete-image'],
  ['refuses one pixel whose data have no end', '2c0000000001000100 00 02', 'incomplete-image'],
  ['refuses an unknown block', '4141414141 3b', 'broken-image'],
  ['refuses a GIF whose only trailer is inside a sub-block', '21fe 023b3b', 'incomplete-image'],
])('%s', async (_claim, hex, code) => {
  expect(await verdictOn('gif', gif(hex))).toBe(code);
});

/** The parts of a GIF of one image: what comes before its sub-blocks, and the compressed data in them. */
function splitGif(image: Buffer): { head: Buffer; data: Buffer } {
  // Behind the screen, its colour table and the graphic control extension.
  const descriptor = image.indexOf(0x2c, 13 + 3 * 2 ** ((image[10]! & 7) + 1));
  const begin = descriptor + 11;
  const blocks: Buffer[] = [];
  for (let at = begin; image[at] !== 0; at += 1 + image[at]!)
    blocks.push(image.subarray(at + 1, at + 1 + image[at]!));
  return { head: image.subarray(0, begin), data: Buffer.concat(blocks) };
}

/** A GIF whose end is in order, whatever its data. */
function joinGif(head: Buffer, data: Buffer): Buffer {
  const blocks: Buffer[] = [];
  for (let at = 0; at < data.length; at += 255) {
    const block = data.subarray(at, at + 255);
    blocks.push(Buffer.from([block.length]), block);
  }
  return Buffer.concat([head, ...blocks, Buffer.from([0x00, 0x3b])]);
}

it('refuses a GIF wherever its coded pixels are cut, although it ends like a whole one', async () => {
  const { head, data } = splitGif(await noise(40, 30).gif().toBuffer());
  expect(await verdictOn('gif', joinGif(head, data))).toBe('whole');
  const accepted: number[] = [];
  // The last bytes hold the end code.
  for (let end = 0; end < data.length - 3; end += 1) {
    const verdict = await verdictOn('gif', joinGif(head, data.subarray(0, end)));
    if (verdict !== 'incomplete-image') accepted.push(end);
  }
  expect(accepted).toEqual([]);
});

it.each([
  [1, 1],
  [2, 3],
  [300, 200],
  [4095, 17],
])('counts the pixels of %i × %i in the data of an encoder', async (width, height) => {
  const { head, data } = splitGif(await noise(width, height).gif().toBuffer());
  const counter = new LzwPixelCounter(head.at(-1)!);
  counter.add(data);
  expect(counter.pixels).toBe(width * height);
});

it.each([
  ['a code that has no string', 8, [0b1111_1100, 0xff]],
  ['a first code of ten bits', 8, [0x00, 0xff, 0xff]],
  ['a code size that GIF does not have', 12, []],
])('refuses data with %s', (_what, codeBits, bytes) => {
  expect(() => {
    new LzwPixelCounter(codeBits).add(Buffer.from(bytes));
  }).toThrow(expect.objectContaining({ code: 'broken-image' }) as Error);
});
