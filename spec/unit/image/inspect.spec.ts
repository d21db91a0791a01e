// Real images of every kind, whole, cut, damaged, too large; in memory and on disk.
import { MemoryBytes } from '../../../lib/bytes/image-bytes.js';
import sharp, { type Sharp } from 'sharp';
import { SaveError } from '../../../lib/errors.js';
import type { ImageInfo, InspectOptions } from '../../../lib/image/types.js';
import { inspectImage } from '../../../lib/image/inspect.js';
import { sample, SAMPLES } from '../../support/image-samples.js';
import { noise } from '../../support/images.js';
import { withFile } from '../../support/file-bytes.js';
import { greyTiff } from '../../support/tiff-files.js';
import { descriptorsBelow, useTempDir } from '../../support/temp-dir.js';

const inFolder = useTempDir();

const PIXELS: InspectOptions = { verify: 'pixels', maxPixels: 100_000_000 };
const HEADER: InspectOptions = { verify: 'header', maxPixels: 100_000_000 };

/** The same picture in every run, with structure and grain, so that no result depends on chance. */
const picture = (width: number, height: number): Sharp => {
  const pixels = Buffer.alloc(width * height * 3);
  let grain = 1;
  for (let index = 0; index < pixels.length; index += 1) {
    grain = (grain * 1103515245 + 12345) % 2147483648;
    pixels[index] = 128 + 90 * Math.sin(index / 40) + (grain >> 16) / 3000;
  }
  return sharp(pixels, { raw: { width, height, channels: 3 } });
};

const onFile = (bytes: Buffer, options: InspectOptions): Promise<ImageInfo> =>
  withFile(inFolder('image'), bytes, (file) => inspectImage(file, options));

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'accepted',
    (error: unknown) => (error instanceof SaveError ? error.code : String(error)),
  );

const inMemory = (bytes: Buffer, options: InspectOptions): Promise<ImageInfo> =>
  inspectImage(new MemoryBytes(bytes), options);

describe.each([
  ...SAMPLES,
  sample('wide WebP', 'webp', () => noise(16383, 3).webp(), [16383, 3]),
  sample('tall JPEG', 'jpeg', () => noise(1, 30000).jpeg(), [1, 30000]),
  sample('broad TIFF', 'tiff', () => noise(30000, 1).tiff(), [30000, 1]),
])('%s', (_name, _format, make, expected) => {
  it('is accepted with the right dimensions, format and pages', async () => {
    const whole = await make();
    for (const inspect of [inMemory, onFile]) {
      expect(await inspect(whole, PIXELS)).toEqual(expected);
      expect(await inspect(whole, HEADER)).toEqual(expected);
    }
    expect(await inMemory(Buffer.concat([whole, Buffer.from('behind')]), PIXELS)).toEqual(expected);
  });

  it('is refused when cut', async () => {
    const whole = await make();
    for (const part of [0.3, 0.6, 0.9, 1]) {
      const cut = whole.subarray(0, Math.floor(whole.length * part) - 1);
      expect(await codeOf(inMemory(cut, PIXELS))).toBe('incomplete-image');
      expect(await codeOf(onFile(cut, PIXELS))).toBe('incomplete-image');
    }
  });

  it('is refused when it has a pixel too many', async () => {
    const whole = await make();
    const { pixels } = expected;
    for (const verify of ['pixels', 'header'] as const) {
      expect(await codeOf(inMemory(whole, { verify, maxPixels: pixels }))).toBe('accepted');
      expect(await codeOf(inMemory(whole, { verify, maxPixels: pixels - 1 }))).toBe('too-many-pixels');
    }
  });
});

describe('a damaged image', () => {
  /** Replaces a hundredth of the bytes, at `part` of the way. */
  const spoil = (whole: Buffer, part: number): Buffer => {
    const spoilt = Buffer.from(whole);
    const at = Math.floor(whole.length * part);
    for (let index = at; index < at + whole.length / 100; index += 1) spoilt[index] = (index * 89 + 13) % 251;
    return spoilt;
  };

  it.each<[string, (image: Sharp) => Sharp]>([
    ['progressive JPEG', (image) => image.jpeg({ progressive: true })],
    ['PNG', (image) => image.png()],
    ['interlaced PNG', (image) => image.png({ progressive: true })],
    ['GIF', (image) => image.gif()],
    ['AVIF', (image) => image.avif({ effort: 0 })],
    ['LZW TIFF', (image) => image.tiff({ compression: 'lzw' })],
    [
      'tiled TIFF',
      (image) => image.tiff({ compression: 'deflate', tile: true, tileWidth: 64, tileHeight: 64 }),
    ],
  ])('is refused wherever the damage is: %s', async (_name, encode) => {
    const whole = await encode(picture(300, 200)).toBuffer();
    for (const part of [0.2, 0.5, 0.8, 0.95]) {
      expect(await codeOf(inMemory(spoil(whole, part), PIXELS))).toMatch(/^(broken|incomplete)-image$/);
    }
  });

  it('is refused if the last frame of an animation is damaged, unless only its header counts', async () => {
    const whole = await sharp(await picture(60, 200).raw().toBuffer(), {
      raw: { width: 60, height: 200, channels: 3, pageHeight: 40 },
    })
      .gif()
      .toBuffer();
    expect(await codeOf(inMemory(spoil(whole, 0.9), PIXELS))).toMatch(/^(broken|incomplete)-image$/);
    expect(await codeOf(inMemory(spoil(whole, 0.9), HEADER))).toBe('accepted');
  });

  it('is refused with a cause that the message does not show', async () => {
    const spoilt = spoil(await picture(300, 200).tiff({ compression: 'lzw' }).toBuffer(), 0.5);
    const error: unknown = await inMemory(spoilt, PIXELS).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'broken-image', cause: { message: expect.any(String) as string } });
    expect((error as Error).message).not.toMatch(/vips|lzw|tiff|\//i);
  });
});

it.each([
  ['not-an-image', 'nothing', ''],
  ['not-an-image', 'one byte', '\xff'],
  ['not-an-image', 'HTML', '<!doctype html><title>Not found</title>'],
  ['broken-image', 'a header without pixels', '\x89PNG\r\n\x1a\n\0\0\0\0IEND\xaeB`\x82'],
])('refuses with %s what is %s', async (code, _what, text) => {
  const bytes = Buffer.from(text, 'latin1');
  for (const options of [PIXELS, HEADER]) {
    expect(await codeOf(inMemory(bytes, options))).toBe(code);
    expect(await codeOf(onFile(bytes, options))).toBe(code);
  }
});

it('refuses a large second page behind a small first one', async () => {
  const bytes = greyTiff([1, 1], [500, 500]);
  for (const verify of ['pixels', 'header'] as const) {
    expect(await codeOf(inMemory(bytes, { verify, maxPixels: 250_000 }))).toBe('too-many-pixels');
    expect(await inMemory(bytes, { verify, maxPixels: 250_001 })).toMatchObject({ pixels: 250_001 });
  }
});

it('decodes every page, also of different sizes', async () => {
  const bytes = greyTiff([4, 3], [40, 30]);
  // Declares the second page as LZW: tag 259, one SHORT.
  const tag = bytes.lastIndexOf(Buffer.from('0301030001000000', 'hex'));
  bytes.writeUInt16LE(5, tag + 8);
  expect(await codeOf(inMemory(bytes, PIXELS))).toBe('broken-image');
});

it('decides by maxPixels alone, not by a limit of the library', async () => {
  const large = await sharp(Buffer.alloc(17000 * 16000), {
    raw: { width: 17000, height: 16000, channels: 1 },
    limitInputPixels: false,
  })
    .toColourspace('b-w')
    .png({ compressionLevel: 1 })
    .toBuffer();
  expect(await inMemory(large, { verify: 'pixels', maxPixels: 272_000_000 })).toMatchObject({
    pixels: 272_000_000,
  });
}, 30_000);

it.each<[string, (image: Sharp) => Sharp]>([
  ['jpeg', (image) => image.jpeg()],
  ['png', (image) => image.png()],
  ['webp', (image) => image.webp()],
  ['gif', (image) => image.gif()],
  ['tiff', (image) => image.tiff()],
  ['tiled tiff', (image) => image.tiff({ tile: true, tileWidth: 16, tileHeight: 16 })],
  ['avif', (image) => image.avif({ effort: 0 })],
])('inspects a new file of the same name again, and leaves none open: %s', async (_name, encode) => {
  for (const options of [HEADER, PIXELS]) {
    for (const width of [50, 60]) {
      const image = await encode(noise(width, 40)).toBuffer();
      expect(await onFile(image, options)).toMatchObject({ width });
    }
  }
  const cut = (await encode(noise(60, 40)).toBuffer()).subarray(0, -1);
  expect(await codeOf(onFile(cut, PIXELS))).toBe('incomplete-image');
  if (process.platform === 'linux') expect(await descriptorsBelow(inFolder())).toEqual([]);
});
