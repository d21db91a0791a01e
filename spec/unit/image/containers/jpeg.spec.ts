// JPEG markers that no encoder writes, or writes rarely.
import { CountedFile, verdictOn } from '../../../support/image-walks.js';

const jpeg = (hex: string): Buffer => Buffer.from(`ffd8${hex}`.replaceAll(' ', ''), 'hex');

it.each([
  [
    'accepts stuffed zeros, restart markers and fill bytes',
    'ffda 0004 0000 12ff00 ffd0 34 ffff ffd9',
    'whole',
  ],
  ['refuses a JPEG whose only end marker is inside a segment', 'ffe1 0004 ffd9', 'incomplete-image'],
  ['refuses half an end marker', 'ffda 0002 12 ff', 'incomplete-image'],
  ['steps over a segment with a length of 0', 'ffe1 0000 ffd9', 'whole'],
  ['refuses a segment longer than the file', 'ffe1 ffff ffd9', 'incomplete-image'],
])('%s', async (_claim, hex, code) => {
  expect(await verdictOn('jpeg', jpeg(hex))).toBe(code);
});

it('finds JPEG markers on either side of a window boundary', async () => {
  for (let fill = 65_525; fill <= 65_538; fill += 1) {
    for (const end of ['ffff00ffd9', 'ffd9']) {
      const head = Buffer.from('ffd8ffda0002', 'hex');
      const image = Buffer.concat([head, Buffer.alloc(fill - head.length, 7), Buffer.from(end, 'hex')]);
      expect(await verdictOn('jpeg', new CountedFile(image))).toBe('whole');
      expect(await verdictOn('jpeg', image.subarray(0, -1))).toBe('incomplete-image');
    }
  }
});
