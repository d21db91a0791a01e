// Real images, made once for each suite that asks for them.
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

export async function jpeg(width = 320, height = 200): Promise<Buffer> {
  return noise(width, height).jpeg().toBuffer();
}

export async function png(width = 320, height = 200): Promise<Buffer> {
  return noise(width, height).png().toBuffer();
}
