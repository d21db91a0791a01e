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

/** The same noise each time, for damage that must be noticeable: some noise can be damaged into other valid pixels. */
export function fixedNoise(width: number, height: number): Sharp {
  const pixels = Buffer.alloc(width * height * 3);
  let state = 1;
  for (let at = 0; at < pixels.length; at += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    pixels[at] = 64 + (state >>> 25);
  }
  return sharp(pixels, { raw: { width, height, channels: 3 } });
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
