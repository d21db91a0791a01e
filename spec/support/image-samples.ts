// One image of every kind that encoders write, small enough to be cut at every byte.
import type { Sharp } from 'sharp';
import type { ImageFormat } from '../../lib/image/formats.js';
import type { ImageInfo } from '../../lib/image/types.js';
import { frames, noise } from './images.js';
import { greyTiff } from './tiff-files.js';

export type Sample = readonly [
  name: string,
  format: ImageFormat,
  make: () => Promise<Buffer>,
  info: ImageInfo,
];

const [WIDTH, HEIGHT] = [20, 17];
const still = (): Sharp => noise(WIDTH, HEIGHT);
const animated = (): Promise<Sharp> => frames(WIDTH, HEIGHT, 3);
const tiles = { tile: true, tileWidth: 16, tileHeight: 16 };
const exif = (length: number): { IFD0: { Artist: string } } => ({ IFD0: { Artist: 'A'.repeat(length) } });

/** @param size Pixels across and down one page, the number of pages, and the pixels of all if the pages differ. */
export function sample(
  name: string,
  format: ImageFormat,
  make: () => Sharp | Buffer | Promise<Sharp | Buffer>,
  size: readonly [width: number, height: number, pages?: number, pixels?: number] = [WIDTH, HEIGHT],
): Sample {
  const [width, height, pages = 1, pixels = width * height * pages] = size;
  const encode = async (): Promise<Buffer> => {
    const made = await make();
    return Buffer.isBuffer(made) ? made : made.toBuffer();
  };
  return [name, format, encode, { format, type: `image/${format}`, width, height, pages, pixels }];
}

export const SAMPLES: readonly Sample[] = [
  sample('JPEG', 'jpeg', () => still().jpeg()),
  sample('progressive JPEG', 'jpeg', () => still().jpeg({ progressive: true })),
  sample('CMYK JPEG', 'jpeg', () => still().toColourspace('cmyk').jpeg()),
  sample('grey JPEG', 'jpeg', () => still().toColourspace('b-w').jpeg()),
  sample('turned JPEG', 'jpeg', () => still().withMetadata({ orientation: 6 }).jpeg()),
  sample('JPEG with a profile', 'jpeg', () => still().withIccProfile('srgb').jpeg()),
  sample('JPEG with long metadata', 'jpeg', () => still().withExif(exif(20_000)).jpeg()),
  sample('tiny JPEG', 'jpeg', () => noise(1, 1).jpeg({ progressive: true }), [1, 1]),
  sample('PNG', 'png', () => still().png()),
  sample('16-bit PNG', 'png', () => still().toColourspace('rgb16').png()),
  sample('interlaced PNG', 'png', () => still().ensureAlpha(0.5).png({ progressive: true })),
  sample('palette PNG', 'png', () => still().png({ palette: true })),
  sample('PNG with metadata', 'png', () => still().withExif(exif(1)).png()),
  sample('wide PNG', 'png', () => noise(300, 2).png(), [300, 2]),
  sample('WebP', 'webp', () => still().webp()),
  sample('lossless WebP', 'webp', () => noise(300, 3).webp({ lossless: true }), [300, 3]),
  sample('WebP with alpha', 'webp', () => noise(300, 3).ensureAlpha(0.5).webp(), [300, 3]),
  sample('animated WebP', 'webp', async () => (await animated()).webp(), [WIDTH, HEIGHT, 3]),
  sample('GIF', 'gif', () => still().gif()),
  sample('animated GIF', 'gif', async () => (await animated()).gif(), [WIDTH, HEIGHT, 3]),
  sample('plain TIFF', 'tiff', () => still().tiff({ compression: 'none' })),
  sample('LZW TIFF', 'tiff', () => still().tiff({ compression: 'lzw' })),
  sample('BigTIFF', 'tiff', () => still().tiff({ bigtiff: true })),
  sample('1-bit TIFF', 'tiff', () => still().toColourspace('b-w').tiff({ bitdepth: 1 })),
  sample('tiled CMYK TIFF', 'tiff', () => still().toColourspace('cmyk').tiff(tiles)),
  sample('TIFF of three pages', 'tiff', async () => (await animated()).tiff(), [WIDTH, HEIGHT, 3]),
  sample('pyramid', 'tiff', () => noise(60, 40).tiff({ pyramid: true, ...tiles }), [60, 40, 3, 3150]),
  sample(
    'TIFF of pages of different sizes',
    'tiff',
    () => greyTiff([4, 3], [40, 30], [1, 1]),
    [4, 3, 3, 1213],
  ),
  sample('AVIF', 'avif', () => still().avif({ effort: 0 })),
  sample('AVIF with alpha', 'avif', () => still().ensureAlpha(0.5).avif({ effort: 0 })),
  sample('AVIF whose major brand is mif1', 'avif', async () => {
    const image = await still().avif({ effort: 0 }).toBuffer();
    image.write('mif1', 8, 'latin1');
    return image;
  }),
];
