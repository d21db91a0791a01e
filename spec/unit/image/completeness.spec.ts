// Cuts images of every format at every byte, and builds by hand what no encoder would write.
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Sharp } from 'sharp';
import { assertComplete } from '../../../lib/image/completeness/index.js';
import { SaveError } from '../../../lib/errors.js';
import type { ImageFormat } from '../../../lib/image/formats.js';
import { frames, noise } from '../../support/images.js';
import { openedBytes } from '../../support/file-bytes.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'completeness-'));
});
afterAll(() => rm(folder, { recursive: true }));

const verdict = async (format: ImageFormat, bytes: Buffer): Promise<string> => {
  try {
    await assertComplete(format, bytes);
    return 'whole';
  } catch (error) {
    return error instanceof SaveError ? error.code : String(error);
  }
};

const verdictOnFile = async (format: ImageFormat, bytes: Buffer): Promise<string> => {
  const path = join(folder, 'image');
  await writeFile(path, bytes);
  const handle = await open(path);
  try {
    await assertComplete(format, openedBytes(path, handle, bytes.length));
    return 'whole';
  } catch (error) {
    return error instanceof SaveError ? error.code : String(error);
  } finally {
    await handle.close();
  }
};

const SAMPLES: [string, ImageFormat, () => Promise<Buffer>][] = [
  ['baseline JPEG', 'jpeg', () => noise(20, 17).jpeg().toBuffer()],
  ['progressive JPEG', 'jpeg', () => noise(20, 17).jpeg({ progressive: true }).toBuffer()],
  ['JPEG with a profile', 'jpeg', () => noise(9, 9).withIccProfile('srgb').jpeg().toBuffer()],
  ['PNG', 'png', () => noise(9, 9).png().toBuffer()],
  ['interlaced PNG', 'png', () => noise(9, 9).png({ progressive: true }).toBuffer()],
  ['GIF', 'gif', () => noise(9, 9).gif().toBuffer()],
  ['animated GIF', 'gif', async () => (await frames(8, 6, 3)).gif().toBuffer()],
  ['lossy WebP', 'webp', () => noise(20, 17).webp().toBuffer()],
  ['lossless WebP', 'webp', () => noise(20, 17).webp({ lossless: true }).toBuffer()],
  ['animated WebP', 'webp', async () => (await frames(8, 6, 3)).webp().toBuffer()],
  ['AVIF', 'avif', () => noise(20, 17).avif({ effort: 0 }).toBuffer()],
  ['AVIF with alpha', 'avif', () => noise(20, 17).ensureAlpha(0.5).avif({ effort: 0 }).toBuffer()],
  ['plain TIFF', 'tiff', () => noise(9, 9).tiff({ compression: 'none' }).toBuffer()],
  ['LZW TIFF', 'tiff', () => noise(9, 9).tiff({ compression: 'lzw' }).toBuffer()],
  ['BigTIFF', 'tiff', () => noise(9, 9).tiff({ bigtiff: true }).toBuffer()],
  ['tiled TIFF', 'tiff', () => noise(40, 20).tiff({ tile: true, tileWidth: 16, tileHeight: 16 }).toBuffer()],
  ['pyramid', 'tiff', () => noise(60, 40).tiff({ pyramid: true, tileWidth: 16, tileHeight: 16 }).toBuffer()],
  ['TIFF of three pages', 'tiff', async () => (await frames(8, 6, 3)).tiff().toBuffer()],
];

describe.each(SAMPLES)('%s', (_name, format, make) => {
  it('is accepted, also with bytes behind its end', async () => {
    const whole = await make();
    expect(await verdict(format, whole)).toBe('whole');
    expect(await verdictOnFile(format, whole)).toBe('whole');
    expect(await verdict(format, Buffer.concat([whole, Buffer.from('\xff\x01 behind', 'latin1')]))).toBe(
      'whole',
    );
  });

  it('is refused wherever it is cut', async () => {
    const whole = await make();
    // Sniffing a format takes its first bytes, so none is shorter.
    const passed: number[] = [];
    for (let length = 16; length < whole.length; length += whole.length > 4000 ? 7 : 1) {
      if ((await verdict(format, whole.subarray(0, length))) !== 'incomplete-image') passed.push(length);
    }
    for (const length of [16, whole.length >> 1, whole.length - 1]) {
      if ((await verdictOnFile(format, whole.subarray(0, length))) !== 'incomplete-image')
        passed.push(length);
    }
    expect(passed).toEqual([]);
  });
});

describe('over many windows of the reader', () => {
  it.each<[ImageFormat, (image: Sharp) => Sharp]>([
    ['jpeg', (image) => image.jpeg({ quality: 95 })],
    ['png', (image) => image.png()],
    ['gif', (image) => image.gif({ effort: 1 })],
    ['webp', (image) => image.webp({ effort: 0, quality: 95 })],
    ['tiff', (image) => image.tiff({ compression: 'none' })],
    ['avif', (image) => image.avif({ effort: 0, quality: 90 })],
  ])('walks a large %s, whole and cut', async (format, encode) => {
    const whole = await encode(noise(700, 600)).toBuffer();
    expect(whole.length).toBeGreaterThan(3 * 64 * 1024);
    expect([await verdict(format, whole), await verdictOnFile(format, whole)]).toEqual(['whole', 'whole']);
    for (let length = 1000; length < whole.length; length += Math.floor(whole.length / 300)) {
      expect(await verdict(format, whole.subarray(0, length))).toBe('incomplete-image');
    }
    expect(await verdictOnFile(format, whole.subarray(0, whole.length - 1))).toBe('incomplete-image');
  });

  it('finds JPEG markers on either side of a window boundary', async () => {
    for (const fill of [
      65525, 65526, 65527, 65528, 65529, 65530, 65531, 65532, 65533, 65534, 65535, 65536, 65537, 65538,
    ]) {
      for (const end of ['ffff00ffd9', 'ffd9']) {
        const head = Buffer.from('ffd8ffda0002', 'hex');
        const jpeg = Buffer.concat([head, Buffer.alloc(fill - head.length, 7), Buffer.from(end, 'hex')]);
        expect(await verdictOnFile('jpeg', jpeg)).toBe('whole');
        expect(await verdict('jpeg', jpeg.subarray(0, -1))).toBe('incomplete-image');
      }
    }
  });

  it('yields to the event loop during a long walk', async () => {
    const jpeg = Buffer.concat([
      Buffer.from('ffd8', 'hex'),
      Buffer.alloc(8 << 20),
      Buffer.from('ffd9', 'hex'),
    ]);
    let turns = 0;
    const timer = setInterval(() => (turns += 1), 0);
    await assertComplete('jpeg', jpeg);
    clearInterval(timer);
    expect(turns).toBeGreaterThan(0);
  });
});

describe('JPEG', () => {
  const jpeg = (hex: string): Buffer => Buffer.from(`ffd8${hex}`.replaceAll(' ', ''), 'hex');

  it.each([
    ['stuffing, restarts, fill bytes', 'ffda 0004 0000 12ff00 ffd0 34 ffff ffd9', 'whole'],
    ['an end mark inside a segment', 'ffe1 0004 ffd9', 'incomplete-image'],
    ['half an end mark', 'ffda 0002 12 ff', 'incomplete-image'],
    ['a segment of impossible length', 'ffe1 0000 ffd9', 'whole'],
    ['a segment longer than the file', 'ffe1 ffff ffd9', 'incomplete-image'],
  ])('gives the right verdict on %s', async (_name, hex, code) => {
    expect(await verdict('jpeg', jpeg(hex))).toBe(code);
  });
});

describe('PNG', () => {
  const chunk = (type: string, length: number): Buffer => {
    const bytes = Buffer.alloc(12);
    bytes.writeUInt32BE(length);
    bytes.write(type, 4, 'latin1');
    return bytes;
  };
  const png = (...chunks: Buffer[]): Buffer =>
    Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), ...chunks]);

  it.each([
    ['no letters', png(chunk('ID\0T', 0), chunk('IEND', 0)), 'broken-image'],
    ['an impossible length', png(chunk('IDAT', 0xffffffff)), 'broken-image'],
    ['a length beyond the end', png(chunk('IDAT', 0x7fffffff), chunk('IEND', 0)), 'incomplete-image'],
    ['a long IEND', png(chunk('IEND', 1)), 'incomplete-image'],
  ])('gives the right verdict on %s', async (_name, bytes, code) => {
    expect(await verdict('png', bytes)).toBe(code);
  });
});

describe('GIF', () => {
  const gif = (hex: string): Buffer =>
    Buffer.from(`47494638396101000100000000${hex}`.replaceAll(' ', ''), 'hex');

  it.each([
    ['extension, stray terminator, image', '21fe 0141 00 00 2c0000000001000100 00 02 024401 00 3b', 'whole'],
    ['an image with its own colours', '2c0000000001000100 80 000000ffffff 02 024401 00 3b', 'whole'],
    ['a block that no GIF has', '41 3b', 'broken-image'],
    ['a trailer inside a sub-block', '21fe 023b3b', 'incomplete-image'],
  ])('gives the right verdict on %s', async (_name, hex, code) => {
    expect(await verdict('gif', gif(hex))).toBe(code);
  });
});

it('refuses a WebP whose chunks do not fit', async () => {
  const whole = await noise(20, 17).webp().toBuffer();
  whole.writeUInt32LE(0xfffffff0, 16);
  expect(await verdict('webp', whole)).toBe('broken-image');
});

describe('AVIF', () => {
  const box = (type: string, ...parts: Buffer[]): Buffer => {
    const body = Buffer.concat(parts);
    const head = Buffer.alloc(8);
    head.writeUInt32BE(8 + body.length);
    head.write(type, 4, 'latin1');
    return Buffer.concat([head, body]);
  };
  const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex');
  const ftyp = box('ftyp', Buffer.from('avif\0\0\0\0'));
  const sequenceFtyp = box('ftyp', Buffer.from('avis\0\0\0\0'));
  // One item, one extent: 0x10 bytes at `offset`.
  const meta = (offset: string): Buffer =>
    box(
      'meta',
      bytes('00000000'),
      box('iloc', bytes(`01000000 4400 0001 0001 0000 0000 0001 ${offset} 00000010`)),
    );
  const openMdat = Buffer.concat([bytes('00000000'), Buffer.from('mdat'), Buffer.alloc(16)]);
  const chunkOffsets = (type: string, hex: string): Buffer =>
    box(
      'moov',
      box('trak', box('mdia', box('minf', box('stbl', box(type, bytes(`00000000 00000001 ${hex}`)))))),
    );

  it.each([
    ['an open box with the item in it', Buffer.concat([ftyp, meta('00000044'), openMdat]), 'whole'],
    [
      'an open box, cut',
      Buffer.concat([ftyp, meta('00000044'), openMdat]).subarray(0, -1),
      'incomplete-image',
    ],
    ['an item elsewhere', Buffer.concat([ftyp, meta('7fffffff'), openMdat]), 'incomplete-image'],
    ['no items', Buffer.concat([ftyp, openMdat]), 'incomplete-image'],
    [
      'a box smaller than its head',
      Buffer.concat([ftyp, bytes('00000007'), Buffer.from('mdat')]),
      'incomplete-image',
    ],
    [
      'a 64-bit size',
      Buffer.concat([
        ftyp,
        meta('0000004c'),
        bytes('00000001'),
        Buffer.from('mdat'),
        bytes('0000000000000020'),
        Buffer.alloc(16),
      ]),
      'whole',
    ],
    [
      'a 64-bit size beyond all files, behind the last item',
      Buffer.concat([
        ftyp,
        meta('00000010'),
        bytes('00000001'),
        Buffer.from('mdat'),
        bytes('ffffffffffffffff'),
      ]),
      'whole',
    ],
    [
      'half a 64-bit size',
      Buffer.concat([ftyp, bytes('00000001'), Buffer.from('mdat00')]),
      'incomplete-image',
    ],
    [
      'a sequence',
      Buffer.concat([sequenceFtyp, chunkOffsets('stco', '00000020'), box('mdat', Buffer.alloc(9))]),
      'whole',
    ],
    [
      'a sequence without frames',
      Buffer.concat([sequenceFtyp, chunkOffsets('stco', '00001000')]),
      'incomplete-image',
    ],
    [
      'the same in 64 bits',
      Buffer.concat([sequenceFtyp, chunkOffsets('co64', 'ffffffffffffffff')]),
      'incomplete-image',
    ],
    [
      'a sequence in an open box',
      Buffer.concat([sequenceFtyp, chunkOffsets('stco', '00000054'), openMdat]),
      'incomplete-image',
    ],
  ])('gives the right verdict on %s', async (_name, image, code) => {
    expect(await verdict('avif', image)).toBe(code);
  });
});
