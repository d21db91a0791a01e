// Real images, created once for each suite.
import sharp, { type Sharp } from 'sharp';

/** Noise, so that no encoder makes it small. */
export function noise(width: number, height: number): Sharp {
  return sharp({
    create: {
      width,
      height,
      channels: 3,
      background: 'white',
      noise: { type: 'gaussian', mean: 128, sigma: 60 },
    },
  });
}

/** As many frames of noise as asked for, to be encoded as an animation. */
export async function frames(width: number, height: number, count: number): Promise<Sharp> {
  const all = { width, height: height * count, channels: 3 as const };
  const pixels = await noise(all.width, all.height).raw().toBuffer();
  return sharp(pixels, { raw: { ...all, pageHeight: height } });
}

export async function jpeg(width = 320, height = 200): Promise<Buffer> {
  return noise(width, height).jpeg().toBuffer();
}

export async function png(width = 320, height = 200): Promise<Buffer> {
  return noise(width, height).png().toBuffer();
}
