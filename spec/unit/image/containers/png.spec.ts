// PNG chunks that no encoder writes.
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
  [
    'refuses a chunk type that is not made of letters',
    png(chunk('ID\0T', 0), chunk('IEND', 0)),
    'broken-image',
  ],
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
