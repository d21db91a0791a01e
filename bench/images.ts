// The images that the servers send: tiled noise, about as much work for an encoder as a photograph.
import { join } from 'node:path';
import sharp, { type Sharp } from 'sharp';

/** Paths of the files, by the name under which a server sends them. */
export type Images = Readonly<Record<string, string>>;

/** Writes all images to a directory. Takes about two seconds. */
export async function createImages(dir: string): Promise<Images> {
  const noise = { width: 64, height: 64, noise: { type: 'gaussian', mean: 128, sigma: 40 } as const };
  const small = await sharp({ create: { ...noise, channels: 3, background: 'white' } })
    .png()
    .toBuffer();
  const tile = await sharp(small).resize(128).png().toBuffer();
  const photograph = (width: number, height: number): Sharp =>
    sharp({ create: { width, height, channels: 3, background: 'white' } })
      .composite([{ input: tile, tile: true }])
      .removeAlpha();
  const images: readonly [string, Sharp][] = [
    ['20kb.jpg', photograph(220, 147).jpeg({ quality: 92 })],
    ['200kb.jpg', photograph(710, 473).jpeg({ quality: 92 })],
    ['5mb.jpg', photograph(3580, 2387).jpeg({ quality: 92 })],
    // 12 megapixels, the source of the renderer that scales.
    ['source.jpg', photograph(4240, 2830).jpeg({ quality: 90 })],
  ];
  for (const [name, image] of images) await image.toFile(join(dir, name));
  return Object.fromEntries(images.map(([name]) => [name, join(dir, name)]));
}
