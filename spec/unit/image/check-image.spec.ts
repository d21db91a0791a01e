// Damaged images and images that are only unusual. No rule depends on the sentence of a warning.
import { MemoryBytes } from '../../../lib/bytes/image-bytes.js';
import { deflateSync } from 'node:zlib';
import sharp, { type Sharp } from 'sharp';
import { SaveError } from '../../../lib/errors.js';
import { checkImage } from '../../../lib/image/check-image.js';
import { assertAllBlocks } from '../../../lib/image/containers/jpeg-scans.js';
import { inspectImage, inspectInHost } from '../../../lib/image/inspect.js';
import { box, frames, noise, png, tiledAvif } from '../../support/images.js';
import { countSteps } from '../../support/image-walks.js';
import { directoryBytes, FLAVOURS, tiffFile, type TiffEntry } from '../../support/tiff-files.js';

type Value = number | Buffer | 'pixels';
type Tag = readonly [tag: number, type: number, count: number, value: Value];

/** A little-endian TIFF of one page. */
function tiffOf(tags: readonly Tag[], pixels: Buffer): Buffer {
  const blobs: Buffer[] = [];
  let end = 8 + directoryBytes(tags.length, false);
  const append = (blob: Buffer): number => {
    blobs.push(blob);
    end += blob.length;
    return end - blob.length;
  };
  const entries = [...tags]
    .sort(([a], [b]) => a - b)
    .map(([tag, type, count, value]): TiffEntry => {
      const stored = value === 'pixels' ? pixels : value;
      return [tag, type, count, Buffer.isBuffer(stored) ? append(stored) : stored];
    });
  const head = tiffFile(FLAVOURS[0]!, [{ at: 8, entries, next: 0 }], 8 + directoryBytes(tags.length, false));
  return Buffer.concat([head, ...blobs]);
}

const shorts = (...values: number[]): Buffer => {
  const bytes = Buffer.alloc(2 * values.length);
  for (const [index, value] of values.entries()) bytes.writeUInt16LE(value, 2 * index);
  return bytes;
};

interface Picture {
  readonly size?: readonly [width: number, height: number];
  readonly channels?: number;
  readonly compression?: number;
  readonly more?: readonly Tag[];
  readonly pixels?: Buffer;
  readonly byteCount?: number;
}

function tiff({
  size: [width, height] = [40, 30],
  channels = 3,
  compression = 1,
  more = [],
  pixels: coded = Buffer.alloc(width * height * channels, 120),
  byteCount = coded.length,
}: Picture): Buffer {
  const tags: Tag[] = [
    [256, 4, 1, width],
    [257, 4, 1, height],
    [258, 3, channels, shorts(...Array<number>(channels).fill(8))],
    [259, 3, 1, compression],
    [262, 3, 1, 2],
    [273, 4, 1, 'pixels'],
    [277, 3, 1, channels],
    [278, 4, 1, height],
    [279, 4, 1, byteCount],
    ...more,
  ];
  return tiffOf(tags, coded);
}

const OPTIONS = { verify: 'pixels', maxPixels: 100_000_000 } as const;
const text = (value: string): Value => Buffer.from(value, 'latin1');
const extra: Tag = [338, 3, 3, shorts(0, 0, 0)];

describe.each([
  ['in a decoder process', inspectImage],
  ['in the host', inspectInHost.bind(undefined, 'tiff')],
])('%s', (_where, inspect) => {
  it.each<[string, Picture]>([
    ['text without a NUL at its end', { more: [[33432, 2, 6, text('abcdef')]] }],
    ['GeoTIFF text without a NUL at its end', { more: [[34737, 2, 8, text('WGS84|xx')]] }],
    ['a NUL inside Copyright', { more: [[33432, 2, 8, text('abc\0def\0')]] }],
    ['four channels without ExtraSamples', { channels: 4 }],
    ['six channels', { channels: 6, more: [extra] }],
    ['an unknown tag', { more: [[65000, 4, 1, 1]] }],
    ['an orientation of 0', { more: [[274, 3, 1, 0]] }],
    ['a byte count beyond the end of the file', { byteCount: 99_999 }],
  ])('accepts a TIFF with %s', async (_name, picture) => {
    expect(await inspect(new MemoryBytes(tiff(picture)), OPTIONS)).toMatchObject({
      width: 40,
      height: 30,
      pixels: 1200,
    });
  });

  it('counts a pixel of more than five channels as several', async () => {
    const bytes = tiff({ channels: 6, more: [extra] });
    await expect(inspect(new MemoryBytes(bytes), { ...OPTIONS, maxPixels: 2399 })).rejects.toMatchObject({
      code: 'too-many-pixels',
    });
    expect(await inspect(new MemoryBytes(bytes), { ...OPTIONS, maxPixels: 2400 })).toMatchObject({
      pixels: 1200,
    });
  });

  it('accepts a deflated strip of more than 50 MiB', async () => {
    const size = [6000, 4200] as const;
    const pixels = deflateSync(Buffer.alloc(6000 * 4200 * 3, 7), { level: 1 });
    expect(await inspect(new MemoryBytes(tiff({ size, compression: 8, pixels })), OPTIONS)).toMatchObject({
      pixels: 25_200_000,
    });
  });

  it.each([
    [34925, 'LZMA'],
    [50000, 'ZSTD'],
    [50002, 'JPEG XL'],
    [12345, 'number 12345'],
  ])('says that compression %s is not supported', async (compression, name) => {
    const message: unknown = expect.stringContaining(name);
    await expect(inspect(new MemoryBytes(tiff({ compression })), OPTIONS)).rejects.toMatchObject({
      code: 'unsupported-compression',
      message,
    });
  });

  it.each(['jpeg', 'lzw', 'packbits'] as const)(
    'refuses a TIFF of %s whose pixels are damaged, although its tags are untidy too',
    async (compression) => {
      // Orientation 0, one of a type that TIFF does not allow for it, and a tag that is out of order in its place.
      for (const [tile, at, value] of [
        [false, 8, 0],
        [false, 2, 12],
        [true, 2, 12],
        [false, 0, 65_000],
      ] as const) {
        const options = { compression, tile, tileWidth: 64, tileHeight: 64 };
        const whole = await noise(300, 200).tiff(options).toBuffer();
        const table = whole.readUInt32LE(4);
        const entries = Array.from(
          { length: whole.readUInt16LE(table) },
          (_, index) => table + 2 + index * 12,
        );
        whole.writeUInt16LE(value, entries.find((entry) => whole.readUInt16LE(entry) === 274)! + at);
        expect(await inspect(new MemoryBytes(whole), OPTIONS)).toMatchObject({ width: 300 });
        for (let spoilt = 9000; spoilt < 10_000; spoilt += 1) whole[spoilt] = (spoilt * 89 + 13) % 251;
        await expect(inspect(new MemoryBytes(whole), OPTIONS)).rejects.toMatchObject({
          code: 'broken-image',
        });
      }
    },
  );
});

/** LZW as written before 1993: the lowest bit of a byte comes first. No code is longer than 9 bits. */
function oldStyleLzw(pixels: Buffer): Buffer {
  const [CLEAR, END] = [256, 257];
  const codes = Array.from(pixels, (pixel, index) => (index % 200 === 0 ? [CLEAR, pixel] : [pixel])).flat();
  const bits = [...codes, END].flatMap((code) => Array.from({ length: 9 }, (_, bit) => (code >> bit) & 1));
  const bytes = Buffer.alloc(Math.ceil(bits.length / 8));
  for (const [index, bit] of bits.entries()) bytes[index >> 3]! |= bit << (index & 7);
  return bytes;
}

it('accepts a TIFF of old-style LZW, and refuses it with too few pixels', async () => {
  const pixels = Buffer.from(Array.from({ length: 40 * 30 * 3 }, (_, index) => (index * 89) % 251));
  const whole = tiff({ compression: 5, pixels: oldStyleLzw(pixels) });
  expect(await inspectImage(new MemoryBytes(whole), OPTIONS)).toMatchObject({ pixels: 1200 });
  const short = tiff({ compression: 5, pixels: oldStyleLzw(pixels.subarray(0, -100)) });
  await expect(inspectImage(new MemoryBytes(short), OPTIONS)).rejects.toMatchObject({ code: 'broken-image' });
});

it('accepts a TIFF although warnings about an image before arrive late, and not if they recur', async () => {
  const { prototype } = sharp as unknown as { prototype: { toBuffer: (this: Sharp) => Promise<Buffer> } };
  const { toBuffer } = prototype;
  let late = 0;
  const spy = jest.spyOn(prototype, 'toBuffer').mockImplementation(function (this: Sharp) {
    if ((late -= 1) >= 0) this.emit('warning', 'error in tile 0 x 0');
    return toBuffer.call(this);
  });
  const inspect = inspectInHost.bind(undefined, 'tiff', new MemoryBytes(tiff({})), OPTIONS);
  late = 2;
  expect(await inspect()).toMatchObject({ pixels: 1200 });
  late = 6;
  await expect(inspect()).rejects.toMatchObject({ code: 'broken-image' });
  spy.mockRestore();
});

it('decodes a TIFF once where memory is short', async () => {
  const { prototype } = sharp as unknown as { prototype: { toBuffer: () => Promise<Buffer> } };
  const spy = jest.spyOn(prototype, 'toBuffer').mockRejectedValue(new Error('out of memory'));
  const bytes = new MemoryBytes(tiff({}));
  const refusal: unknown = await inspectInHost('tiff', bytes, OPTIONS).catch((error: unknown) => error);
  const decodes = spy.mock.calls.length;
  spy.mockRestore();
  expect([refusal, decodes]).toMatchObject([{ code: 'out-of-resources' }, 1]);
});

/** What comes of inspecting an image: `width × height × pages`, or the code of the refusal. */
const verdictOf = (image: Buffer): Promise<string> =>
  inspectImage(new MemoryBytes(image), OPTIONS).then(
    ({ width, height, pages }) => `${width} × ${height} × ${pages}`,
    (error: unknown) => (error instanceof SaveError ? error.code : String(error)),
  );

it('does not take a TIFF whose second directory is empty for a shortage of memory', async () => {
  const image = Buffer.concat([tiff({}), Buffer.alloc(8)]);
  // Behind the nine entries of the first one.
  image.writeUInt32LE(image.length - 8, 8 + directoryBytes(9, false) - 4);
  expect(await verdictOf(image)).toBe('broken-image');
});

it('counts an AVIF of visible tiles once, and refuses it with a damaged tile', async () => {
  const tiled = await tiledAvif();
  expect(await verdictOf(tiled)).toBe('128 × 64 × 1');
  tiled.subarray(-800, -200).fill(0x5a);
  expect(await verdictOf(tiled)).toBe('broken-image');
});

it('says of an animated AVIF that it is not supported', async () => {
  const ftyp = box('ftyp', Buffer.from('avis\0\0\0\0'));
  const offsets = box('stbl', box('stco', '00000000 00000001 00000054'));
  const moov = box('moov', box('trak', box('mdia', box('minf', offsets))));
  expect(await verdictOf(Buffer.concat([ftyp, moov, box('mdat', Buffer.alloc(64, 7))]))).toBe(
    'unsupported-compression',
  );
});

/** A chunk of a WebP, with or without the byte that makes its length even. */
const chunk = (type: string, data: Buffer, padding = data.length % 2): Buffer => {
  const head = Buffer.alloc(8);
  head.write(type, 'latin1');
  head.writeUInt32LE(data.length, 4);
  return Buffer.concat([head, data, Buffer.alloc(padding)]);
};

it('accepts a WebP whose last or inner chunks are not padded, and refuses one with damaged pixels', async () => {
  const whole = await noise(60, 40).webp().toBuffer();
  const pixels = Buffer.concat([whole.subarray(20, 20 + whole.readUInt32LE(16)), Buffer.alloc(1)]);
  const webp = (...chunks: Buffer[]): Buffer =>
    chunk('RIFF', Buffer.concat([Buffer.from('WEBP'), ...chunks]), 0);
  const behind = [chunk('EXIF', Buffer.alloc(5), 0), chunk('XMP ', Buffer.alloc(9), 0)];
  expect(await verdictOf(webp(chunk('VP8 ', pixels, 0), ...behind))).toBe('60 × 40 × 1');
  expect(await verdictOf(webp(chunk('VP8 ', pixels), ...behind))).toBe('60 × 40 × 1');
  expect(await verdictOf(webp(chunk('VP8 ', pixels.subarray(0, -200)), ...behind))).toBe('broken-image');
  whole.writeUInt32LE(0xfffffff0, 16);
  expect(await verdictOf(whole)).toBe('broken-image');
  const animated = await (await frames(20, 10, 3)).webp().toBuffer();
  expect(await verdictOf(animated)).toBe('20 × 10 × 3');
  const cut = animated.subarray(0, -20);
  cut.writeUInt32LE(cut.length - 8, 4);
  expect(await verdictOf(cut)).toBe('broken-image');
});

it('accepts a GIF with a few bytes before its trailer, and refuses it with more', async () => {
  const image = await noise(20, 10).gif().toBuffer();
  const withJunk = (junk: string): Buffer => spliced(image, image.length - 1, Buffer.from(junk));
  expect(await verdictOf(withJunk('zzzz'))).toBe('20 × 10 × 1');
  expect(await verdictOf(withJunk('zzzzz'))).toBe('broken-image');
});

it('accepts the 26 bytes of a blank GIF, one pixel without data', async () => {
  const blank = Buffer.from('4749463839610100010000ff002c00000000010001000002003b', 'hex');
  expect(await verdictOf(blank)).toBe('1 × 1 × 1');
});

/** Where the coded bytes of each scan of a JPEG begin and end. */
function scansOf(jpeg: Buffer): { begin: number; end: number }[] {
  const scans = [];
  for (let at = 2; jpeg[at + 1] !== 0xd9;) {
    const begin = at + 2 + jpeg.readUInt16BE(at + 2);
    let end = begin;
    if (jpeg[at + 1] === 0xda) {
      while (jpeg[end] !== 0xff || jpeg[end + 1] === 0) end += 1;
      scans.push({ begin, end });
    }
    at = end;
  }
  return scans;
}

const spliced = (image: Buffer, at: number, bytes: Buffer, removed = 0): Buffer =>
  Buffer.concat([image.subarray(0, at), bytes, image.subarray(at + removed)]);

describe.each<[string, (image: Sharp) => Sharp]>([
  ['baseline', (image) => image.jpeg()],
  ['grey', (image) => image.greyscale().jpeg()],
  ['4:4:4', (image) => image.jpeg({ chromaSubsampling: '4:4:4' })],
  ['CMYK', (image) => image.toColourspace('cmyk').jpeg()],
  ['progressive', (image) => image.jpeg({ progressive: true })],
  ['progressive grey', (image) => image.greyscale().jpeg({ progressive: true })],
  ['progressive CMYK', (image) => image.toColourspace('cmyk').jpeg({ progressive: true })],
])('a JPEG (%s)', (_kind, encode) => {
  const make = (): Promise<Buffer> => encode(noise(100, 70)).toBuffer();
  const segment = (marker: number, content: string): Buffer => {
    const bytes = Buffer.from(`\xff${String.fromCharCode(marker)}\0\0${content}`, 'latin1');
    bytes.writeUInt16BE(content.length + 2, 2);
    return bytes;
  };

  it.each([
    ['\xff\0\xff\0', Buffer.from('ff00ff00', 'hex')],
    ['text', Buffer.from('junk')],
    ['an unknown JFIF version', segment(0xe0, 'JFIF\0\x03\x02\0\0\x01\0\x01\0\0')],
    ['an unknown Adobe transform', segment(0xef, 'Adobe\0\x64\0\0\0\0\x05')],
    ['an Exif segment that is none', segment(0xe1, 'Exif\0\0garbage')],
  ])('is accepted with %s between its segments, and refused with missing codes too', async (_name, odd) => {
    const image = await make();
    const whole = spliced(image, 4 + image.readUInt16BE(4), odd);
    expect(await verdictOf(whole)).toBe('100 × 70 × 1');
    const { begin, end } = scansOf(image).at(-1)!;
    const missing = Math.floor((end - begin) / 2);
    const at = odd.length + begin + Math.floor(missing / 2);
    expect(await verdictOf(spliced(whole, at, Buffer.alloc(0), missing))).toBe('broken-image');
  });

  it('is accepted with a few bytes between a scan and the next marker, whatever they are', async () => {
    const image = await make();
    const scans = scansOf(image);
    for (const { end } of new Set([scans[0]!, scans[1] ?? scans[0]!, scans.at(-1)!])) {
      for (const junk of ['00', '0000', '616263', 'ffff', '55aa0102', '00'.repeat(100), '20'.repeat(9)]) {
        const verdict = await verdictOf(spliced(image, end, Buffer.from(junk, 'hex')));
        expect([end, junk, verdict]).toEqual([end, junk, '100 × 70 × 1']);
      }
    }
  });

  it('is refused wherever its coded pixels are cut, although it ends like a whole one', async () => {
    const image = await make();
    const { begin, end } = scansOf(image).at(-1)!;
    const accepted: number[] = [];
    // The last bytes may hold no more than the padding of the last code.
    for (let cut = end - 4; cut > begin; cut -= Math.ceil((end - begin) / 15)) {
      const bytes = Buffer.concat([image.subarray(0, cut), Buffer.from('ffd9', 'hex')]);
      if ((await verdictOf(bytes)) !== 'broken-image') accepted.push(cut);
    }
    expect(accepted).toEqual([]);
  });
});

/** Without the standard Huffman tables, as webcams send it. */
async function webcamJpeg(): Promise<Buffer> {
  let image: Buffer = await noise(100, 70).jpeg({ optimiseCoding: false }).toBuffer();
  for (let at; (at = image.indexOf('ffc4', 'hex')) !== -1;)
    image = spliced(image, at, Buffer.alloc(0), 2 + image.readUInt16BE(at + 2));
  return image;
}

it.each([
  [0, 0, 0],
  [1, 0, 0x21],
  [0, 62, 0],
  [0, 63, 1],
  [255, 255, 255],
])('accepts a baseline JPEG with %i, %i, %i in its scan header, and refuses it cut', async (...numbers) => {
  for (const image of [await noise(100, 70).jpeg().toBuffer(), await webcamJpeg()]) {
    const { begin, end } = scansOf(image)[0]!;
    image.set(numbers, begin - 3);
    expect(await verdictOf(image)).toBe('100 × 70 × 1');
    for (const missing of [4, 8, 20, 100, 1000]) {
      const verdict = await verdictOf(spliced(image, end - missing, Buffer.alloc(0), missing));
      expect([missing, verdict]).toEqual([missing, 'broken-image']);
    }
  }
});

it('refuses a JPEG in the host whose last rows alone are damaged', async () => {
  const image = await noise(100, 70).jpeg({ chromaSubsampling: '4:4:4' }).toBuffer();
  const { end } = scansOf(image)[0]!;
  for (const missing of [20, 50, 100, 200]) {
    const bytes = new MemoryBytes(spliced(image, end - missing, Buffer.alloc(0), missing));
    const inspection = inspectInHost('jpeg', bytes, OPTIONS);
    await expect(inspection).rejects.toMatchObject({ code: 'broken-image' });
    expect(await inspectInHost('jpeg', new MemoryBytes(image), OPTIONS)).toMatchObject({ pixels: 7000 });
  }
});

it('tells components that share an id apart by their order, where a baseline JPEG is odd too', async () => {
  const image = await noise(100, 70).jpeg().toBuffer();
  const [frame, scan] = [image.indexOf('ffc0', 'hex'), image.indexOf('ffda', 'hex')];
  for (const part of [0, 1, 2]) [image[frame + 10 + 3 * part], image[scan + 5 + 2 * part]] = [1, 1];
  image.fill(0, scan + 11, scan + 14);
  expect(await verdictOf(image)).toBe('100 × 70 × 1');
});

/** A scan whose header is damaged is a missing one. */
const DAMAGED: unknown = expect.stringMatching(/^(broken|incomplete)-image$/);

describe.each([
  ['colour', noise(100, 70), 2024, 64],
  ['grey', noise(100, 70).greyscale(), 539, 16],
])('a progressive JPEG (%s)', (_kind, picture, from, zeros) => {
  const make = (): Promise<Buffer> => picture.clone().jpeg({ progressive: true }).toBuffer();

  it('is refused with zeros for codes, although the scan ends in order and only its last blocks seem surplus', async () => {
    const image = await make();
    for (let at = from; at < from + 16; at += 3) {
      const damaged = spliced(image, at, Buffer.alloc(zeros), zeros);
      expect([at, await verdictOf(damaged)]).toEqual([at, DAMAGED]);
    }
  });

  it('is refused without the marker of any scan, so that pixels lack bits', async () => {
    const image = await make();
    for (let at = scansOf(image)[0]!.end; (at = image.indexOf('ffda', at, 'hex')) !== -1; at += 2) {
      const verdict = await verdictOf(spliced(image, at, Buffer.alloc(2), 2));
      expect([at, verdict]).toEqual([at, DAMAGED]);
    }
  });

  it('is refused without its last scans, although its end marker follows', async () => {
    const image = await make();
    const ends = scansOf(image).map(({ end }) => end);
    for (const end of ends.slice(0, -1)) {
      expect(await verdictOf(spliced(image.subarray(0, end), end, Buffer.from('ffd9', 'hex')))).toBe(
        'incomplete-image',
      );
    }
  });
});

it('refuses a baseline JPEG without the scan of a colour', async () => {
  const image = await noise(100, 70).jpeg().toBuffer();
  const { begin } = scansOf(image)[0]!;
  // Only the first component of three.
  const scan = Buffer.from('ffda0008 0101 00 003f00'.replaceAll(' ', ''), 'hex');
  const header = image.indexOf('ffda', 'hex');
  expect(await verdictOf(spliced(image, header, scan, begin - header))).toBe('incomplete-image');
});

/** A grey JPEG of four blocks, one below the other, with a restart marker before each but the first. */
const restarting = (): Buffer =>
  Buffer.from(
    'ffd8ffdb004300' +
      '10'.repeat(64) +
      'ffc0000b080020000801011100' +
      'ffc40017000003010000000000000000000000000003050607ffc4001b10000104030000000000000000000000000001020441033181' +
      'ffdd00040001ffda0008010100003f00cfcfffd040cc4e7e953a7fffd12c7a3fffd2a38f47ffd9',
    'hex',
  );

it.each([
  [0, '8 × 32 × 1'],
  [1, 'broken-image'],
  [2, 'broken-image'],
  [3, '8 × 32 × 1'],
  [4, '8 × 32 × 1'],
  [5, '8 × 32 × 1'],
  [6, 'broken-image'],
  [7, 'broken-image'],
])('reads a restart marker whose number is %i off as decoders do', async (off, verdict) => {
  const image = restarting();
  const marker = image.indexOf('ffd1', 'hex');
  image[marker + 1] = 0xd0 + ((1 + off) % 8);
  expect(await verdictOf(image)).toBe(verdict);
});

it.each([
  ['arithmetic coding', 1, 0xc9],
  ['lossless coding', 1, 0xc3],
  ['the coding of JPEG-LS', 1, 0xf7],
  ['12 bits', 4, 12],
])('says of a JPEG with %s that it is not supported', async (_coding, at, value) => {
  const image = await noise(100, 70).jpeg().toBuffer();
  image[image.indexOf('ffc0', 'hex') + at] = value;
  expect(await verdictOf(image)).toBe('unsupported-compression');
});

it('refuses a progressive JPEG with sampling factors of 0, and does not walk it for ever', async () => {
  const image = await noise(100, 70).jpeg({ progressive: true }).toBuffer();
  const frame = image.indexOf('ffc2', 'hex');
  for (const component of [0, 1, 2]) image[frame + 11 + 3 * component] = 0;
  await expect(assertAllBlocks(new MemoryBytes(image))).rejects.toThrow(SaveError);
});

it('refuses a progressive JPEG with many bytes behind a scan: codes in the wrong place', async () => {
  const image = await noise(100, 70).jpeg({ progressive: true }).toBuffer();
  const { end } = scansOf(image).at(-1)!;
  expect(await verdictOf(spliced(image, end, Buffer.from('U*'.repeat(20))))).toBe('broken-image');
});

const ABORTED = { maxPixels: 100_000_000, signal: AbortSignal.abort(new Error('The deadline passed.')) };

/** A PNG with 50,000 empty text chunks before its pixels. */
async function pngOfManyChunks(): Promise<Buffer> {
  const image = await png(8, 8);
  const chunk = Buffer.from('000000007445587400000000', 'hex');
  const chunks = Array.from({ length: 50_000 }, () => chunk);
  return Buffer.concat([image.subarray(0, 33), ...chunks, image.subarray(33)]);
}

/** A TIFF with 50,000 strips. */
function tiffOfManyStrips(): Buffer {
  const entries = [273, 279].map((tag): TiffEntry => [tag, 4, 50_000, 100]);
  return tiffFile(FLAVOURS[0]!, [{ at: 16, entries, next: 0 }], 300_000);
}

it.each([
  ['the chunks of a PNG', 'pixels', pngOfManyChunks, checkImage.bind(undefined, 'png')],
  ['the strips of a TIFF', 'pixels', tiffOfManyStrips, checkImage.bind(undefined, 'tiff')],
  ['the chunks behind the header of a PNG', 'header', pngOfManyChunks, checkImage.bind(undefined, 'png')],
  ['those of a PNG that the host reads', 'header', pngOfManyChunks, inspectImage],
] as const)('stops walking through %s when its signal has aborted', async (_what, verify, make, inspect) => {
  const image = await make();
  const steps = await countSteps(1_000_000, async () => {
    await expect(inspect(new MemoryBytes(image), { ...ABORTED, verify })).rejects.toThrow('deadline');
  });
  expect(steps).toBeLessThan(10_000);
});
