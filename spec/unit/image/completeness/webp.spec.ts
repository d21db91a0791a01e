// WebP chunks that no encoder writes.
import { verdictOn } from '../../../support/image-walks.js';
import { noise } from '../../../support/images.js';

it('refuses a WebP whose chunks do not fit', async () => {
  const whole = await noise(20, 17).webp().toBuffer();
  whole.writeUInt32LE(0xfffffff0, 16);
  expect(await verdictOn('webp', whole)).toBe('broken-image');
});
