// Random and changed files for the walks through an image, and the checks for each of them.
import fc from 'fast-check';
import { isTiledTiff } from '../../lib/image/containers/tiff.js';
import { countPixels } from '../../lib/image/containers/index.js';
import type { ImageFormat } from '../../lib/image/formats.js';
import { frames, noise } from './images.js';
import { CountedFile, countSteps, verdictOn } from './image-walks.js';
import { mutate, mutations } from './mutations.js';
import { tiffFile } from './tiff-files.js';

export const FORMATS: readonly ImageFormat[] = ['jpeg', 'png', 'gif', 'webp', 'avif', 'tiff'];

/** The first bytes of random files, so that the walk of each format gets past them. */
const MAGIC: Readonly<Record<ImageFormat, string>> = {
  jpeg: '\xff\xd8\xff',
  png: '\x89PNG\r\n\x1a\n',
  gif: 'GIF89a\x01\0\x01\0\x80\0\0',
  webp: 'RIFF\xff\0\0\0WEBP',
  avif: '\0\0\0\x10ftypavif\0\0\0\0\0\0\0\x80meta\0\0\0\0\0\0\0\x70iloc\x01\0\0\0\x44\x40',
  tiff: 'II*\0\x08\0\0\0',
};

/** Small numbers, so that they often lead into the file, and those at the limits of their widths. */
const anyNumber = fc.oneof(
  fc.nat(2000),
  fc.nat(2000),
  fc.constantFrom(0, 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 53, 2 ** 63),
);

/** TIFF files of up to eight directories at random positions. */
const hostileTiff = fc
  .tuple(
    fc.record({ endian: fc.constantFrom('II', 'MM'), big: fc.boolean() }),
    fc.array(
      fc.record({
        at: fc.nat(2000),
        entries: fc.array(
          fc.tuple(
            fc.constantFrom(273, 279, 324, 325, 513, 514, 330, 330, 256, 34675),
            fc.constantFrom(0, 1, 2, 3, 4, 5, 13, 14, 16, 18, 99, 0xffff),
            anyNumber,
            anyNumber,
          ),
          { maxLength: 6 },
        ),
        next: fc.oneof(fc.constant(0), fc.nat(2000)),
      }),
      { minLength: 1, maxLength: 8 },
    ),
    fc.integer({ min: 16, max: 2200 }),
  )
  .map(([flavour, directories, length]) => tiffFile(flavour, directories, length));

/** AVIF files of boxes of any size, some of them in others. */
const hostileAvif = fc
  .array(
    fc.record({
      size: fc.oneof(fc.nat(200), fc.constantFrom(0, 1, 7, 8, 2 ** 31, 2 ** 32 - 1)),
      type: fc.constantFrom(...'meta iloc moov trak mdia minf stbl stco co64 mdat free'.split(' ')),
      body: fc.oneof(fc.constant(new Uint8Array()), fc.uint8Array({ maxLength: 60 })),
    }),
    { maxLength: 12 },
  )
  .chain((boxes) =>
    fc.constantFrom('avif', 'avis').map((brand) =>
      Buffer.concat([
        Buffer.from(`\0\0\0\x10ftyp${brand}\0\0\0\0`, 'latin1'),
        ...boxes.map(({ size, type, body }) => {
          const head = Buffer.alloc(8);
          head.writeUInt32BE(size);
          head.write(type, 4, 'latin1');
          return Buffer.concat([head, body]);
        }),
      ]),
    ),
  );

async function originals(format: ImageFormat): Promise<Buffer[]> {
  const still = noise(40, 30);
  switch (format) {
    case 'jpeg':
      return Promise.all([still.jpeg().toBuffer(), still.jpeg({ progressive: true }).toBuffer()]);
    case 'png':
      return Promise.all([still.png().toBuffer(), still.png({ progressive: true }).toBuffer()]);
    case 'gif':
      return Promise.all([still.gif().toBuffer(), (await frames(10, 8, 3)).gif().toBuffer()]);
    case 'webp':
      return Promise.all([still.webp().toBuffer(), (await frames(10, 8, 3)).webp().toBuffer()]);
    case 'avif':
      return Promise.all([
        still.avif({ effort: 0 }).toBuffer(),
        still.ensureAlpha(0.5).avif({ effort: 0 }).toBuffer(),
      ]);
    case 'tiff':
      return Promise.all([
        (await frames(10, 8, 3)).tiff().toBuffer(),
        still.tiff({ bigtiff: true }).toBuffer(),
        still.tiff({ pyramid: true, tileWidth: 16, tileHeight: 16 }).toBuffer(),
      ]);
  }
}

/** Changed and random files that begin as a format does. */
export async function hostileFiles(format: ImageFormat): Promise<fc.Arbitrary<Buffer>> {
  const changed = fc.tuple(fc.constantFrom(...(await originals(format))), mutations);
  const magic = Buffer.from(MAGIC[format], 'latin1');
  return fc.oneof(
    { weight: 4, arbitrary: changed.map(([original, changes]) => mutate(original, changes)) },
    {
      weight: 1,
      arbitrary: fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.concat([magic, bytes])),
    },
    ...(format === 'tiff' ? [{ weight: 3, arbitrary: hostileTiff }] : []),
    ...(format === 'avif' ? [{ weight: 3, arbitrary: hostileAvif }] : []),
  );
}

/** The cost of one walk. */
export interface WalkCost {
  readonly verdict: string;
  readonly steps: number;
}

/**
 * Walks a file in memory and as a file. Throws where a walk throws anything but a SaveError, where both disagree, and
 * where one takes more steps, reads or memory than the length of the file allows.
 */
export async function walkHostileFile(format: ImageFormat, bytes: Buffer): Promise<WalkCost> {
  const limit = 8 * bytes.length + 100;
  let verdict = '';
  const steps = await countSteps(limit, async () => {
    verdict = await verdictOn(format, bytes);
  });
  for (const run of [
    (file: CountedFile) => verdictOn(format, file),
    async (file: CountedFile) => {
      if (format === 'tiff' && verdict === 'whole') await isTiledTiff(file);
    },
    // Of a JPEG or PNG, this reads the header.
    (file: CountedFile) => countPixels(format, file),
  ]) {
    const file = new CountedFile(bytes);
    let result: unknown;
    await countSteps(limit, async () => {
      result = await run(file);
    });
    if (typeof result === 'string' && result !== verdict) {
      throw new Error(`In memory, the verdict is ${verdict}; of the file, it is ${result}.`);
    }
    // Three readers at most. Each reads a window ahead until it has read the file twice, then 512 bytes a read.
    if (file.bytesRead > 3 * (3 * bytes.length + 65_536) + 512 * (bytes.length / 6)) {
      throw new Error(`${file.bytesRead} bytes are read of a file of ${bytes.length}.`);
    }
    if (file.reads > limit)
      throw new Error(`${file.reads} reads are made of a file of ${bytes.length} bytes.`);
    if (file.largestRead > 65_536) throw new Error(`${file.largestRead} bytes are read at once.`);
  }
  return { verdict, steps };
}
