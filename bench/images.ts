// The images that the servers send: tiled noise, about as much work for an encoder as a photograph.
import { join } from 'node:path';
import sharp, { type Sharp } from 'sharp';

const TILE_SIZE = 128;

/** Paths of the files, by the name under which a server sends them. */
export type Images = Readonly<Record<string, string>>;

/** Writes all images to a directory. Takes about two seconds. */
export async function createImages(dir: string): Promise<Images> {
  const tile = await createTile();
  const images: Record<string, string> = {};
  const write = async (name: string, image: Sharp): Promise<number> => {
    images[name] = join(dir, name);
    return (await image.toFile(images[name])).size;
  };
  for (const [name, bytes] of [
    ['20kb.jpg', 20e3],
    ['200kb.jpg', 200e3],
    ['5mb.jpg', 5e6],
  ] as const) {
    // A few widths are tried until the length is within 5 %.
    for (let width = 1.4 * Math.sqrt(bytes), size = 0; Math.abs(size / bytes - 1) > 0.05;) {
      size = await write(name, photograph(tile, width, (width * 2) / 3).jpeg({ quality: 92 }));
      width *= Math.sqrt(bytes / size);
    }
  }
  // 12 megapixels, the source of the renderer that scales.
  await write('source.jpg', photograph(tile, 4240, 2830).jpeg({ quality: 90 }));
  // Streamed, to see how memory grows with the image.
  await write('12mb.tif', photograph(tile, 2000, 2000).tiff({ compression: 'none' }));
  await write('120mb.tif', photograph(tile, 8000, 5000).tiff({ compression: 'none' }));
  return images;
}

async function createTile(): Promise<Buffer> {
  const size = { width: TILE_SIZE / 2, height: TILE_SIZE / 2, channels: 3 as const, background: 'white' };
  const noise = sharp({ create: { ...size, noise: { type: 'gaussian', mean: 128, sigma: 40 } } });
  return sharp(await noise.png().toBuffer())
    .resize(TILE_SIZE)
    .png()
    .toBuffer();
}

function photograph(tile: Buffer, width: number, height: number): Sharp {
  const size = { width: Math.round(width), height: Math.round(height) };
  return sharp({ create: { ...size, channels: 3, background: 'white' } })
    .composite([{ input: tile, tile: true }])
    .removeAlpha();
}
