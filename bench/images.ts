// The images that are served: like photographs to an encoder, made anew for each run.
import sharp, { type Sharp } from 'sharp';

/** Large shapes, small shapes and grain: noise at two sizes, one laid over the other, as a photograph has it. */
export async function photograph(width: number, height: number): Promise<Sharp> {
  const [pixels, details] = await Promise.all([layer(width, height, 64, 60), layer(width, height, 2, 30)]);
  for (let at = 0; at < pixels.length; at++) pixels[at] = ((pixels[at] ?? 0) + (details[at] ?? 0)) >> 1;
  return sharp(pixels, { raw: { width, height, channels: 3 } });
}

/** Noise that is enlarged, as raw pixels. */
async function layer(width: number, height: number, by: number, sigma: number): Promise<Buffer> {
  const noise = sharp({
    create: {
      ...{ width: Math.ceil(width / by), height: Math.ceil(height / by), channels: 3, background: 'white' },
      noise: { type: 'gaussian', mean: 128, sigma },
    },
  });
  const small = await noise.png().toBuffer();
  return sharp(small).resize(width, height, { fit: 'fill' }).raw().toBuffer();
}

/** A JPEG of about so many bytes: the encoder is asked for one width after the other until it is near. */
export async function jpegOfBytes(bytes: number): Promise<Buffer> {
  let width = Math.sqrt(bytes) * 1.4;
  for (;;) {
    const image = await photograph(Math.round(width), Math.round((width * 2) / 3));
    const jpeg = await image.jpeg({ quality: 92 }).toBuffer();
    if (Math.abs(jpeg.length / bytes - 1) < 0.05) return jpeg;
    width *= Math.sqrt(bytes / jpeg.length);
  }
}
