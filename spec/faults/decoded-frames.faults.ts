// The memory of decoded frames is freed, and the host's settings of sharp stay unchanged.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp, { type Sharp } from 'sharp';
import type { ImageFormat } from '../../lib/image/formats.js';
import { built, runInChild } from '../support/run-in-child.js';
import { useTempDir } from '../support/temp-dir.js';
import { megabytes, print } from './support/check.js';

const inFolder = useTempDir();

// A frame has 48 MB. Where libvips keeps its operations, ten saves of a GIF leave 660 MB. In any case, the allocator of the
// C library may keep a frame for each of four threads.
const SIZE = 4000;
const SAVES = 10;
const MAX_LEFT_BYTES = 250e6;

/** Bands of colour, so that files are small and frames are not. */
function bands(pageHeight?: number): Sharp {
  const pixels = Buffer.alloc(SIZE * SIZE * 3);
  for (let row = 0; row < SIZE; row += 1) pixels.fill(row >> 4, row * SIZE * 3, (row + 1) * SIZE * 3);
  const raw = { width: SIZE, height: SIZE, channels: 3 as const };
  return sharp(pixels, { raw: pageHeight === undefined ? raw : { ...raw, pageHeight } });
}

const tiles = { tile: true, tileWidth: 256, tileHeight: 256 };

const KINDS: [string, ImageFormat, () => Sharp][] = [
  ['baseline JPEG', 'jpeg', () => bands().jpeg()],
  ['progressive JPEG', 'jpeg', () => bands().jpeg({ progressive: true })],
  ['PNG', 'png', () => bands().png({ compressionLevel: 1 })],
  ['interlaced PNG', 'png', () => bands().png({ compressionLevel: 1, progressive: true })],
  ['lossy WebP', 'webp', () => bands().webp({ effort: 0 })],
  ['lossless WebP', 'webp', () => bands().webp({ effort: 0, lossless: true })],
  ['animated WebP', 'webp', () => bands(SIZE / 4).webp({ effort: 0, lossless: true })],
  ['GIF', 'gif', () => bands().gif({ effort: 1, colours: 4 })],
  ['animated GIF', 'gif', () => bands(SIZE / 4).gif({ effort: 1, colours: 4 })],
  ['TIFF of strips', 'tiff', () => bands().tiff({ compression: 'lzw' })],
  ['TIFF of tiles', 'tiff', () => bands().tiff({ compression: 'lzw', ...tiles })],
  ['AVIF', 'avif', () => bands().avif({ effort: 0 })],
];

interface Found {
  readonly before: number;
  readonly after: number;
  readonly limits: unknown;
}

test.each(KINDS)(
  'returns the memory of %s to the system, in a decoder process and in the host',
  async (name, format, make) => {
    const path = join(inFolder(), 'image');
    writeFileSync(path, await make().toBuffer());
    for (const [where, inspect] of [
      ['decoder process', '(_format, bytes) => inspectImage(bytes, options)'],
      ['host', '(format, bytes) => inspectInHost(format, bytes, options)'],
    ]) {
      const { before, after, limits } = (await runInChild(`
      import { readFileSync } from 'node:fs';
      import sharp from 'sharp';
      const { inspectImage, inspectInHost } = await import(${built('lib/image/inspect.ts')});
      const { MemoryBytes } = await import(${built('lib/bytes/image-bytes.ts')});
      const inspectBytes = ${inspect};
      const inspect = (format, bytes) => inspectBytes(format, new MemoryBytes(bytes));
      const options = { verify: 'pixels', maxPixels: 100_000_000 };
      const small = await sharp({ create: { width: 9, height: 9, channels: 3, background: 'red' } }).png().toBuffer();
      await inspect('png', small);
      // Only now: the first image may load the library, which sets them anew.
      sharp.cache({ memory: 33, files: 7, items: 44 });
      sharp.concurrency(2);
      const image = readFileSync(${JSON.stringify(path)});
      const before = process.memoryUsage.rss();
      for (let save = 0; save < ${SAVES}; save += 1) await inspect('${format}', image);
      const after = process.memoryUsage.rss();
      const { memory, files, items } = sharp.cache();
      const limits = [memory.max, files.max, items.max, sharp.concurrency()];
      console.log(JSON.stringify({ before, after, limits }));`)) as Found;
      print(`${name}, ${where}: ${megabytes(before)} before, ${megabytes(after)} after ${SAVES} images`);
      expect(after - before).toBeLessThan(MAX_LEFT_BYTES);
      expect(limits).toEqual([33, 7, 44, 2]);
    }
  },
);
