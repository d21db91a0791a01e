// The fast header reader agrees with the decoders or leaves the header to them.
import { MemoryBytes } from '../../../../lib/bytes/image-bytes.js';
import fc from 'fast-check';
import sharp from 'sharp';
import { getFormatByBytes } from '../../../../lib/image/formats.js';
import { readPlainHeader } from '../../../../lib/image/containers/index.js';
import type { PlainHeader } from '../../../../lib/image/types.js';
import { SAMPLES } from '../../../support/image-samples.js';
import { mutate, mutations } from '../../../support/mutations.js';

const picture = sharp({ create: { width: 37, height: 23, channels: 3, background: 'teal' } });
const IMAGES = SAMPLES.filter(([, format]) => format === 'jpeg' || format === 'png');

async function read(bytes: Buffer): Promise<PlainHeader | undefined> {
  const format = getFormatByBytes(bytes);
  return format && readPlainHeader(format, new MemoryBytes(bytes));
}

/** The decoder's result, undefined if it refuses the image. */
async function decode(bytes: Buffer): Promise<PlainHeader | undefined> {
  const metadata = await sharp(bytes, { limitInputPixels: false })
    .metadata()
    .catch(() => undefined);
  if (metadata === undefined) return undefined;
  const { width, height, isProgressive } = metadata;
  return { width, height, isProgressive };
}

test.each(IMAGES)('reads the same header of %s as the decoder', async (_name, _format, make) => {
  const image = await make();
  expect(await read(image)).toEqual(await decode(image));
});

test.each(IMAGES)(
  'never differs from the decoder for %s with random changes',
  async (_name, _format, make) => {
    const image = await make();
    let compared = 0;
    await fc.assert(
      fc.asyncProperty(mutations, async (changes) => {
        // Only changes within the header matter to this test.
        const length = Math.min(image.length, 700);
        const changed = Buffer.concat([mutate(image.subarray(0, length), changes), image.subarray(length)]);
        const header = await read(changed);
        const decoded = header && (await decode(changed));
        if (decoded === undefined) return;
        compared += 1;
        expect(header).toEqual(decoded);
      }),
      { numRuns: Number(process.env['HEADER_RUNS'] ?? 300), seed: 11 },
    );
    expect(compared).toBeGreaterThan(0);
  },
);

test.each(IMAGES)('leaves %s that ends before its pixels to the decoder', async (_name, _format, make) => {
  const image = await make();
  const pixels = image.includes('IDAT') ? image.indexOf('IDAT') + 4 : image.indexOf('ffda', 0, 'hex') + 5;
  expect(await read(image.subarray(0, pixels))).toBeDefined();
  for (const end of [pixels - 1, pixels - 4, 40, 30, 20, 12]) {
    expect(await read(image.subarray(0, end))).toBeUndefined();
  }
});

/** A frame of one by one pixel. Only a reader that takes the last fill byte for a marker finds it. */
const DECOY = 'ffc0 0011 08 0001 0001 03 011100 021100 031100 ffda 000c 03 0100 0200 0300 003f00';

test.each([1, 2, 3, 5])('skips %i fill bytes before a marker, and a decoy behind them', async (count) => {
  const jpeg = await picture.clone().jpeg().toBuffer();
  // A reader that takes two fill bytes for a marker takes the next two bytes, 0xffe0 or 0xe000, for its length.
  const decoy = Buffer.from(DECOY.replaceAll(' ', ''), 'hex');
  const comment = Buffer.alloc(0xfffd);
  for (let at = 0; at + decoy.length <= comment.length; at += decoy.length) comment.set(decoy, at);
  const image = Buffer.concat([
    jpeg.subarray(0, 2),
    Buffer.alloc(count, 0xff),
    Buffer.from('fffeffff', 'hex'),
    comment,
    jpeg.subarray(2),
  ]);
  const header = await read(image);
  expect(header).toEqual({ width: 37, height: 23, isProgressive: false });
  expect(header).toEqual(await decode(image));
});

test.each<[string, (jpeg: Buffer, frame: number) => void]>([
  ['no frame', (jpeg, frame) => jpeg.writeUInt8(0xe0, frame + 1)],
  ['a frame of 12 bits', (jpeg, frame) => jpeg.writeUInt8(12, frame + 4)],
  ['a height that comes later', (jpeg, frame) => jpeg.writeUInt16BE(0, frame + 5)],
  ['two components', (jpeg, frame) => jpeg.writeUInt8(2, frame + 9)],
  ['arithmetic coding', (jpeg, frame) => jpeg.writeUInt8(0xc9, frame + 1)],
  ['no marker where one must be', (jpeg, frame) => jpeg.writeUInt8(0, frame)],
  ['a reserved marker', (jpeg, frame) => jpeg.writeUInt8(0xf0, frame + 1)],
  ['a first scan of one component', (jpeg) => jpeg.writeUInt8(1, jpeg.indexOf('ffda', 0, 'hex') + 4)],
])('leaves a JPEG with %s to the decoder', async (_flaw, change) => {
  const jpeg = await picture.clone().jpeg().toBuffer();
  change(jpeg, jpeg.indexOf('ffc0', 0, 'hex'));
  expect(await read(jpeg)).toBeUndefined();
});

test('leaves a JPEG with two frames to the decoder', async () => {
  const jpeg = await picture.clone().jpeg().toBuffer();
  const frame = jpeg.indexOf('ffc0', 0, 'hex');
  const end = frame + 2 + jpeg.readUInt16BE(frame + 2);
  const twice = Buffer.concat([jpeg.subarray(0, end), jpeg.subarray(frame, end), jpeg.subarray(end)]);
  expect(await read(twice)).toBeUndefined();
});

test.each(['webp', 'gif', 'tiff', 'avif'] as const)('leaves a %s image to the decoder', async (format) => {
  expect(await read(await picture.clone().toFormat(format).toBuffer())).toBeUndefined();
});

test('leaves a JPEG with bytes between its segments and a PNG of a wrong checksum to the decoder', async () => {
  const jpeg = await picture.clone().jpeg().toBuffer();
  const at = 4 + jpeg.readUInt16BE(4);
  expect(
    await read(Buffer.concat([jpeg.subarray(0, at), Buffer.from('junk'), jpeg.subarray(at)])),
  ).toBeUndefined();
  const png = await picture.clone().png().toBuffer();
  png.writeUInt32BE(38, 16);
  expect(await read(png)).toBeUndefined();
});
