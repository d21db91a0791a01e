// Directories of TIFF files, of the kinds that no encoder writes, and pages one by one.
import { MemoryBytes } from '../../../../lib/bytes/image-bytes.js';
import sharp from 'sharp';
import { SaveError } from '../../../../lib/errors.js';
import { inspectInHost } from '../../../../lib/image/inspect.js';
import { separatePages } from '../../../../lib/image/containers/tiff-edits.js';
import { CountedFile, countSteps, verdictOn } from '../../../support/image-walks.js';
import {
  directoryBytes,
  FLAVOURS,
  greyTiff,
  greyTiffOf,
  putUint,
  tiffFile,
  type TiffDirectory,
  type TiffEntry,
} from '../../../support/tiff-files.js';

/** An offset of strips, tiles or an old-style JPEG, and its byte count. */
const place = (offsetsTag: 273 | 324 | 513, offset: number, count: number, type = 4): TiffEntry[] => [
  [offsetsTag, type, 1, offset],
  [COUNTS_OF[offsetsTag], type, 1, count],
];
const COUNTS_OF = { 273: 279, 324: 325, 513: 514 } as const;
const strip = (offset: number, count: number): TiffEntry[] => place(273, offset, count);

const directory = (at: number, entries: readonly TiffEntry[], next = 0): TiffDirectory => ({
  at,
  entries,
  next,
});

describe.each(FLAVOURS)('a TIFF ($endian, 64 bits: $big)', (flavour) => {
  /** 1024 bytes. From byte 600 on they are a list of 200 16-bit numbers, each 16. */
  const verdictOnTiff = (...directories: TiffDirectory[]): Promise<string> => {
    const image = tiffFile(flavour, directories);
    for (let at = 600; at < 1000; at += 2) putUint(image, flavour.endian, at, 2, 16);
    return verdictOn('tiff', image);
  };

  const first = (entries: TiffEntry[], next?: number): TiffDirectory => directory(16, entries, next);
  /** A strip of rows of one byte without compression, which is said to be longer than the file. */
  const bare = (rows: number): TiffEntry[] => [[256, 4, 1, 4], [257, 4, 1, rows], ...strip(1000, 5000)];
  const overlapping = [273, 324].map((tag): TiffEntry => [tag, 1, 600, 0]);

  it.each<[string, string, ...TiffDirectory[]]>([
    ['accepts a strip up to the last byte', 'whole', first(strip(1000, 24))],
    ['refuses a strip beyond the last byte', 'incomplete-image', first(strip(1000, 25))],
    ['accepts a bare strip of a wrong length whose rows are there', 'whole', first(bare(24))],
    ['refuses it without its last row', 'incomplete-image', first(bare(25))],
    ['refuses it with compression', 'incomplete-image', first([...bare(24), [259, 3, 1, 5]])],
    ['refuses an offset beyond it without a count', 'incomplete-image', first([[273, 4, 1, 1025]])],
    ['reads a 16-bit value that stands in its entry', 'incomplete-image', first(place(324, 1000, 25, 3))],
    ['refuses an old-style JPEG beyond the last byte', 'incomplete-image', first(place(513, 1000, 25))],
    ['refuses a value of any tag beyond the last byte', 'incomplete-image', first([[34675, 7, 999, 500]])],
    ['ignores a value of unknown type that points nowhere', 'whole', first([[34675, 99, 999, 5000]])],
    ['refuses a second directory that is not in the file', 'incomplete-image', first(strip(0, 1), 1020)],
    [
      'refuses a second directory with a strip beyond the last byte',
      'incomplete-image',
      first(strip(0, 1), 200),
      directory(200, strip(1000, 25)),
    ],
    [
      'refuses a sub-directory with a strip beyond the last byte',
      'incomplete-image',
      first([[330, 4, 1, 200]]),
      directory(200, strip(1000, 25)),
    ],
    ['ignores a sub-directory at 0, where the header is', 'whole', first([[330, 4, 1, 0]])],
    ['refuses a circle of directories', 'broken-image', first([], 200), directory(200, [], 16)],
    [
      'walks a sub-directory once that is named 200 times',
      'whole',
      directory(200, [[330, 3, 200, 600]]),
      first([]),
    ],
    ['refuses lists on top of each other', 'broken-image', first(overlapping)],
  ])('%s', async (_claim, verdict, ...directories) => {
    expect(await verdictOnTiff(...directories)).toBe(verdict);
  });

  it.each([273, 279, 324, 325, 513, 514, 330])(
    'refuses tag %i with a value of unknown type at once, whatever its count',
    async (tag) => {
      // Byte counts are read for the offsets that belong to them.
      const [offsetsTag] = Object.entries(COUNTS_OF).find(([, counts]) => counts === tag) ?? [];
      const other: TiffEntry[] = offsetsTag === undefined ? [] : [[Number(offsetsTag), 4, 1, 0]];
      for (const type of [0, 14, 19, 99, 0xffff]) {
        const image = tiffFile(flavour, [
          directory(16, [...other, [tag, type, flavour.big ? 2 ** 63 : 0xffffffff, 0]]),
        ]);
        await countSteps(50, async () => {
          expect(await verdictOn('tiff', image)).toBe('broken-image');
        });
      }
    },
  );

  it.each([273, 324, 330])('refuses a list of tag %i that is longer than the file', async (tag) => {
    for (const type of [1, 3, 4, 13, ...(flavour.big ? [16, 18] : [])]) {
      const image = tiffFile(flavour, [
        directory(16, [[tag, type, flavour.big ? 2 ** 63 : 0xffffffff, 100]]),
      ]);
      await countSteps(50, async () => {
        expect(await verdictOn('tiff', image)).toBe('incomplete-image');
      });
    }
  });
});

it('notices a circle of directories in a large file in a few steps', async () => {
  const image = tiffFile({ endian: 'II', big: false }, [directory(16, [], 16)], 256 << 20);
  await countSteps(10, async () => {
    expect(await verdictOn('tiff', image)).toBe('broken-image');
  });
});

it('reads a directory once that 350,000 sub-directory offsets name', async () => {
  const names = 350_000;
  const image = tiffFile(
    { endian: 'II', big: false },
    [directory(8, [[330, 4, names, 100]]), directory(60, strip(0, 1))],
    100 + 4 * names,
  );
  for (let index = 0; index < names; index += 1) image.writeUInt32LE(60, 100 + 4 * index);
  const file = new CountedFile(image);
  const steps = await countSteps(2 * names, async () => {
    expect(await verdictOn('tiff', file)).toBe('whole');
  });
  expect(steps).toBeLessThan(names + 100);
  expect(file.bytesRead).toBeLessThan(2 * image.length);
});

it('refuses directories on top of each other', async () => {
  // Each offset leads to zeros: a directory without entries, six bytes long.
  const image = tiffFile({ endian: 'II', big: false }, [directory(8, [[330, 4, 200, 1000]])], 2400);
  for (let index = 0; index < 200; index += 1) image.writeUInt32LE(100 + index, 1000 + 4 * index);
  expect(await verdictOn('tiff', image)).toBe('whole');
  expect(await verdictOn('tiff', image.subarray(0, 1900))).toBe('broken-image');
});

it('counts a list once for each directory that names it, so that lists cannot be walked without end', async () => {
  const big = false;
  const count = 1000;
  const listAt = 16 + count * directoryBytes(1, big);
  const directories = Array.from({ length: count }, (_, index) =>
    directory(
      16 + index * directoryBytes(1, big),
      [[330, 4, 5000, listAt]],
      index === count - 1 ? 0 : 16 + (index + 1) * directoryBytes(1, big),
    ),
  );
  const image = tiffFile({ endian: 'II', big }, directories, listAt + 20_000);
  for (let at = listAt; at < image.length; at += 4) image.writeUInt32LE(16, at);
  await countSteps(2 * image.length, async () => {
    expect(await verdictOn('tiff', image)).toBe('broken-image');
  });
});

it('reads little of a file whose directories lie in no order', async () => {
  const count = 5000;
  const bytes = directoryBytes(2, false);
  // A step that is coprime to the count reaches each place once.
  const place = (index: number): number => 16 + ((index * 2003) % count) * bytes;
  const directories = Array.from({ length: count }, (_, index) =>
    directory(place(index), strip(0, 1), index === count - 1 ? 0 : place(index + 1)),
  );
  const image = tiffFile({ endian: 'II', big: false }, directories, 16 + count * bytes);
  const file = new CountedFile(image);
  expect(await verdictOn('tiff', file)).toBe('whole');
  expect(file.bytesRead).toBeLessThan(100 * image.length);
  expect(await verdictOn('tiff', image)).toBe('whole');
});

it('refuses a directory of more entries than there are tags', async () => {
  const image = tiffFile({ endian: 'II', big: true }, [directory(16, [])]);
  image.writeUInt32LE(0x10000, 16);
  expect(await verdictOn('tiff', image)).toBe('broken-image');
});

const OPTIONS = { verify: 'pixels', maxPixels: 1e9 } as const;

const THREE_PAGES = [3, 5, 2].map((side) => [side, side] as const);

const squares = (count: number): [number, number][] =>
  Array.from({ length: count }, (_, page) => [1 + (page % 2), 1 + (page % 2)]);

it.each(FLAVOURS)(
  'shows each page as the only one, and leaves the bytes as they were: %j',
  async (flavour) => {
    const tiff = greyTiffOf(flavour, THREE_PAGES);
    const before = Buffer.from(tiff);
    const seen: string[] = [];
    for await (const page of separatePages(tiff, 3)) {
      const { width, pages = 1 } = await sharp(page).metadata();
      seen.push(`${width} × ${pages}`);
    }
    expect(seen).toEqual(['3 × 1', '5 × 1', '2 × 1']);
    expect(tiff.equals(before)).toBe(true);
  },
);

it.each(FLAVOURS)('accepts wrong values of tags that are not about pixels: %j', async (flavour) => {
  // An orientation and a unit of resolution that do not exist, and a value of an unknown type.
  const odd: TiffEntry[] = [274, 296, 65_000].map((tag) => [tag, tag === 65_000 ? 0 : 3, 1, 0]);
  const tiff = new MemoryBytes(greyTiffOf(flavour, THREE_PAGES, odd));
  expect(await inspectInHost('tiff', tiff, OPTIONS)).toMatchObject({ pages: 3, pixels: 38 });
});

it.each([
  ['has fewer pages than it must have', greyTiff([3, 3], [5, 5]), 3],
  ['leaves the file', greyTiff([3, 3], [5, 5]).subarray(0, 20), 2],
])('refuses a chain that %s', async (_how, tiff, count) => {
  const pages = async (): Promise<void> => {
    for await (const page of separatePages(tiff, count)) expect(page).toBe(tiff);
  };
  await expect(pages()).rejects.toThrow(SaveError);
});

it('refuses more pages of different sizes than it may open one by one', async () => {
  const tiff = new MemoryBytes(greyTiff(...squares(10_001)));
  await expect(inspectInHost('tiff', tiff, OPTIONS)).rejects.toMatchObject({ code: 'too-many-pixels' });
});

it('stops between two pages when the signal aborts', async () => {
  const controller = new AbortController();
  const { signal } = controller;
  const { prototype } = sharp as unknown as { prototype: { metadata: (this: unknown) => unknown } };
  const { metadata } = prototype;
  let opened = 0;
  const spy = jest.spyOn(prototype, 'metadata').mockImplementation(function (this: unknown) {
    opened += 1;
    if (opened === 5) controller.abort(new Error('the deadline passed'));
    return metadata.call(this);
  });
  const tiff = new MemoryBytes(greyTiff(...squares(50)));
  await expect(inspectInHost('tiff', tiff, { ...OPTIONS, signal })).rejects.toThrow('the deadline passed');
  expect(opened).toBe(5);
  spy.mockRestore();
});
