// Inspection in the host, for systems that cannot start a process. Its results equal a decoder process's.
import { open, writeFile } from 'node:fs/promises';
import { MemoryBytes, type ImageBytes } from '../../../lib/bytes/image-bytes.js';
import { SaveError } from '../../../lib/errors.js';
import type { ImageFormat } from '../../../lib/image/formats.js';
import { inspectImage, inspectInHost } from '../../../lib/image/inspect.js';
import type { ImageInfo, InspectOptions } from '../../../lib/image/types.js';
import { OpenedBytes } from '../../support/file-bytes.js';
import { frames, noise } from '../../support/images.js';
import { useTempDir } from '../../support/temp-dir.js';

type Inspect = (bytes: ImageBytes, options: InspectOptions) => Promise<ImageInfo>;

const inFolder = useTempDir();
const tiled = { tile: true, tileWidth: 16, tileHeight: 16 };

const IMAGES: [string, ImageFormat, () => Promise<Buffer>][] = [
  ['baseline JPEG', 'jpeg', () => noise(40, 30).jpeg().toBuffer()],
  ['progressive JPEG', 'jpeg', () => noise(40, 30).jpeg({ progressive: true }).toBuffer()],
  ['PNG', 'png', () => noise(40, 30).png().toBuffer()],
  ['interlaced PNG', 'png', () => noise(40, 30).png({ progressive: true }).toBuffer()],
  ['animated GIF', 'gif', async () => (await frames(8, 6, 3)).gif().toBuffer()],
  ['animated WebP', 'webp', async () => (await frames(8, 6, 3)).webp().toBuffer()],
  ['AVIF', 'avif', () => noise(40, 30).avif({ effort: 0 }).toBuffer()],
  ['TIFF of three pages', 'tiff', async () => (await frames(8, 6, 3)).tiff().toBuffer()],
  ['TIFF of strips', 'tiff', () => noise(40, 30).tiff({ compression: 'lzw' }).toBuffer()],
  [
    'tiled TIFF',
    'tiff',
    () =>
      noise(40, 30)
        .tiff({ compression: 'lzw', ...tiled })
        .toBuffer(),
  ],
  // The levels of a pyramid are pages of different sizes.
  [
    'TIFF pyramid',
    'tiff',
    () =>
      noise(60, 40)
        .tiff({ pyramid: true, ...tiled })
        .toBuffer(),
  ],
];

/** The image unchanged, without its second half, and with damage in the middle. */
const CHANGES: [string, (image: Buffer) => Buffer][] = [
  ['whole', (image) => image],
  ['cut', (image) => image.subarray(0, image.length / 2)],
  [
    'damaged',
    (image) => {
      const damaged = Buffer.from(image);
      const middle = Math.floor(image.length / 2);
      damaged.fill(0xff, middle, Math.min(image.length, middle + 40));
      return damaged;
    },
  ],
];

const OPTIONS: InspectOptions[] = [
  { verify: 'pixels', maxPixels: 100_000 },
  { verify: 'header', maxPixels: 100_000 },
  { verify: 'pixels', maxPixels: 100 },
];

const resultOf = (inspect: Inspect, bytes: ImageBytes, options: InspectOptions): Promise<unknown> =>
  inspect(bytes, options).catch((error: unknown) => (error instanceof SaveError ? error.code : error));

describe.each(IMAGES)('%s', (_name, format, make) => {
  it.each(CHANGES)('gives the same result in the host when it is %s', async (_change, change) => {
    const image = change(await make());
    await writeFile(inFolder('image'), image);
    const handle = await open(inFolder('image'));
    const inMemory = new MemoryBytes(image);
    const onFile = new OpenedBytes(inFolder('image'), handle, image.length);
    const inHost = inspectInHost.bind(undefined, format);
    for (const options of OPTIONS) {
      const expected = await resultOf(inspectImage, inMemory, options);
      expect([options, await resultOf(inHost, inMemory, options)]).toEqual([options, expected]);
      expect([options, await resultOf(inHost, onFile, options)]).toEqual([options, expected]);
    }
    await handle.close();
  });
});
