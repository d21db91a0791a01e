// The images that the servers send: enlarged noise, about as much work for an encoder as a photograph.
import { join } from 'node:path';
import sharp, { type Sharp } from 'sharp';

/** By name: width, height and quality. */
const IMAGES: Readonly<Record<string, readonly [number, number, number]>> = {
  '20kb.jpg': [220, 147, 92],
  '200kb.jpg': [710, 473, 92],
  '5mb.jpg': [3580, 2387, 92],
  // 12 megapixels, the source of the renderer that scales.
  'source.jpg': [4240, 2830, 90],
};

/** Writes all images to a directory. Takes about four seconds. */
export async function createImages(dir: string): Promise<void> {
  const noise = { type: 'gaussian', mean: 128, sigma: 40 } as const;
  for (const [name, [width, height, quality]] of Object.entries(IMAGES)) {
    const half = { width: Math.ceil(width / 2), height: Math.ceil(height / 2) };
    const image = sharp({ create: { ...half, channels: 3, background: 'white', noise } });
    await image.resize(width, height).jpeg({ quality }).toFile(join(dir, name));
  }
  await scale(join(dir, 'source.jpg')).toFile(join(dir, 'scaled.jpg'));
  // 95 megapixels in less than a megabyte, and a progressive JPEG is decoded as a whole.
  const huge = sharp({ create: { width: 9800, height: 9700, channels: 3, background: 'teal' } });
  await huge.jpeg({ progressive: true }).toFile(join(dir, 'huge.jpg'));
}

/** What the renderer does. */
export function scale(file: string): Sharp {
  return sharp(file).resize(800).jpeg();
}
