// What lib/header.ts reads from a header must be what the image library reads, or nothing.
import sharp from 'sharp';
import { getFormatByBytes } from '../../../lib/image/formats.js';
import { readHeaderFast, type FastHeader } from '../../../lib/image/read-header.js';

const picture = sharp({ create: { width: 37, height: 23, channels: 3, background: 'teal' } });
const WIDE = { create: { width: 300, height: 2, channels: 4, background: '#0806' } } as const;

const IMAGES: readonly (readonly [string, Promise<Buffer>])[] = [
  ['a baseline JPEG', picture.clone().jpeg().toBuffer()],
  ['a progressive JPEG', picture.clone().jpeg({ progressive: true }).toBuffer()],
  ['a grey JPEG', picture.clone().greyscale().jpeg().toBuffer()],
  ['a CMYK JPEG', picture.clone().toColourspace('cmyk').jpeg().toBuffer()],
  [
    'a JPEG with notes',
    picture
      .clone()
      .withExif({ IFD0: { Artist: 'A'.repeat(20_000) } })
      .jpeg()
      .toBuffer(),
  ],
  ['a PNG', picture.clone().png().toBuffer()],
  ['an interlaced PNG', picture.clone().png({ progressive: true }).toBuffer()],
  ['a PNG with a palette', picture.clone().png({ palette: true }).toBuffer()],
  ['a PNG of 16 bits', picture.clone().toColourspace('rgb16').png().toBuffer()],
  ['a wide PNG with alpha', sharp(WIDE).png().toBuffer()],
  [
    'a PNG with notes',
    picture
      .clone()
      .keepExif()
      .withExif({ IFD0: { Artist: 'A' } })
      .png()
      .toBuffer(),
  ],
];

async function read(bytes: Buffer): Promise<FastHeader | undefined> {
  const format = getFormatByBytes(bytes);
  return format && readHeaderFast(format, bytes);
}

test.each(IMAGES)('of %s is what the image library reads', async (_what, made) => {
  const image = await made;
  const { width, height, isProgressive } = await sharp(image).metadata();
  expect(await read(image)).toEqual({ width, height, isProgressive });
});

test.each(IMAGES)('of %s with any byte changed is that, or nothing', async (_what, made) => {
  const image = await made;
  let told = 0;
  for (let at = 2; at < Math.min(image.length, 300); at += 1) {
    for (const value of [0, 0xff, (image[at] ?? 0) ^ 1, (image[at] ?? 0) ^ 0x80]) {
      const changed = Buffer.from(image);
      changed[at] = value;
      const header = await read(changed);
      const known = await sharp(changed, { limitInputPixels: false })
        .metadata()
        .catch(() => undefined);
      if (header === undefined || known === undefined) continue;
      told += 1;
      expect([at, value, header.width, header.height]).toEqual([at, value, known.width, known.height]);
    }
  }
  expect(told).toBeGreaterThan(0);
});

test.each(IMAGES)('of %s is nothing where it ends before the pixels', async (_what, made) => {
  const image = await made;
  const pixels = image.includes('IDAT') ? image.indexOf('IDAT') + 4 : image.indexOf('ffda', 0, 'hex') + 5;
  expect(await read(image.subarray(0, pixels))).toBeDefined();
  for (const end of [pixels - 1, pixels - 4, 40, 30, 20, 12]) {
    expect(await read(image.subarray(0, end))).toBeUndefined();
  }
});

test.each<[string, (jpeg: Buffer, frame: number) => void]>([
  ['no frame', (jpeg, frame) => jpeg.writeUInt8(0xe0, frame + 1)],
  ['a frame of 12 bits', (jpeg, frame) => jpeg.writeUInt8(12, frame + 4)],
  ['a height that comes later', (jpeg, frame) => jpeg.writeUInt16BE(0, frame + 5)],
  ['two components', (jpeg, frame) => jpeg.writeUInt8(2, frame + 9)],
  ['arithmetic coding', (jpeg, frame) => jpeg.writeUInt8(0xc9, frame + 1)],
  ['no marker where one must be', (jpeg, frame) => jpeg.writeUInt8(0, frame)],
])('of a JPEG with %s is nothing', async (_what, change) => {
  const jpeg = await picture.clone().jpeg().toBuffer();
  change(jpeg, jpeg.indexOf('ffc0', 0, 'hex'));
  expect(await read(jpeg)).toBeUndefined();
});

test('of a JPEG with two frames is nothing', async () => {
  const jpeg = await picture.clone().jpeg().toBuffer();
  const frame = jpeg.indexOf('ffc0', 0, 'hex');
  const end = frame + 2 + jpeg.readUInt16BE(frame + 2);
  const twice = Buffer.concat([jpeg.subarray(0, end), jpeg.subarray(frame, end), jpeg.subarray(end)]);
  expect(await read(twice)).toBeUndefined();
});

test.each(['webp', 'gif', 'tiff', 'avif'] as const)('of %s is left to the image library', async (format) => {
  expect(await read(await picture.clone().toFormat(format).toBuffer())).toBeUndefined();
});
