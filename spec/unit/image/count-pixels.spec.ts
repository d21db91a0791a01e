// The pixels that headers announce are those that the decoder counts.
import sharp from 'sharp';
import { MemoryBytes } from '../../../lib/bytes/image-bytes.js';
import { countPixels } from '../../../lib/image/containers/index.js';
import { getFormatByBytes } from '../../../lib/image/formats.js';
import { frames, noise, tiledAvif } from '../../support/images.js';

const count = (image: Buffer): Promise<number | undefined> =>
  countPixels(getFormatByBytes(image)!, new MemoryBytes(image));

it.each<[string, () => Promise<Buffer>]>([
  ['JPEG', () => noise(37, 23).jpeg().toBuffer()],
  ['PNG', () => noise(37, 23).png().toBuffer()],
  ['GIF', () => noise(37, 23).gif().toBuffer()],
  ['animated GIF', async () => (await frames(8, 6, 3)).gif().toBuffer()],
  ['lossy WebP', () => noise(300, 23).webp().toBuffer()],
  ['lossless WebP', () => noise(300, 23).webp({ lossless: true }).toBuffer()],
  ['WebP with alpha', () => noise(300, 23).ensureAlpha(0.5).webp().toBuffer()],
  ['animated WebP', async () => (await frames(300, 6, 3)).webp().toBuffer()],
  ['TIFF', () => noise(37, 23).tiff().toBuffer()],
  ['BigTIFF', () => noise(37, 23).tiff({ bigtiff: true }).toBuffer()],
  ['TIFF of three pages', async () => (await frames(8, 6, 3)).tiff().toBuffer()],
  ['AVIF', () => noise(37, 23).avif({ effort: 0 }).toBuffer()],
  ['AVIF with alpha', () => noise(37, 23).ensureAlpha(0.5).avif({ effort: 0 }).toBuffer()],
])(
  'counts the pixels of a %s as the decoder does, and does not tell those of a cut one',
  async (_name, make) => {
    const image = await make();
    const { width, height, pageHeight = height, pages = 1 } = await sharp(image, { pages: -1 }).metadata();
    expect(await count(image)).toBe(width * pageHeight * pages);
    expect(await count(image.subarray(0, 20))).toBeUndefined();
  },
);

it('counts an AVIF of visible tiles once', async () => {
  expect(await count(await tiledAvif())).toBe(128 * 64);
});
