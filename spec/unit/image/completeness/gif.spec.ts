// GIF blocks that no encoder writes, or writes rarely.
import { verdictOn } from '../../../support/image-walks.js';

const gif = (hex: string): Buffer =>
  Buffer.from(`47494638396101000100000000${hex}`.replaceAll(' ', ''), 'hex');

it.each([
  [
    'accepts an extension, a stray terminator and an image',
    '21fe 0141 00 00 2c0000000001000100 00 02 024401 00 3b',
    'whole',
  ],
  [
    'accepts an image with a colour table of its own',
    '2c0000000001000100 80 000000ffffff 02 024401 00 3b',
    'whole',
  ],
  ['refuses an unknown block', '41 3b', 'broken-image'],
  ['refuses a GIF whose only trailer is inside a sub-block', '21fe 023b3b', 'incomplete-image'],
])('%s', async (_claim, hex, code) => {
  expect(await verdictOn('gif', gif(hex))).toBe(code);
});
