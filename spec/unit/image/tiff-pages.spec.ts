// The pages of a TIFF one by one: each is opened as if it were the only page.
import { MemoryBytes } from '../../../lib/bytes/image-bytes.js';
import sharp from 'sharp';
import { SaveError } from '../../../lib/errors.js';
import { inspectInHost } from '../../../lib/image/inspect.js';
import { separatePages } from '../../../lib/image/tiff-pages.js';
import { directoryBytes, FLAVOURS, tiffFile, type TiffDirectory } from '../../support/tiff-files.js';

/** A black, uncompressed TIFF of square pages of these widths. */
function tiffOf(widths: readonly number[], flavour = FLAVOURS[0]!): Buffer {
  let at = 16;
  const directories = widths.map((width, page): TiffDirectory => {
    const pixelsAt = at + directoryBytes(8, flavour.big);
    const next = pixelsAt + width * width;
    const directory: TiffDirectory = {
      at,
      next: page === widths.length - 1 ? 0 : next,
      entries: [
        [256, 4, 1, width],
        [257, 4, 1, width],
        [258, 3, 1, 8],
        [259, 3, 1, 1],
        [262, 3, 1, 1],
        [273, 4, 1, pixelsAt],
        [278, 4, 1, width],
        [279, 4, 1, width * width],
      ],
    };
    at = next;
    return directory;
  });
  return tiffFile(flavour, directories, at);
}

it.each(FLAVOURS)(
  'shows each page as the only one, and leaves the bytes as they were: %j',
  async (flavour) => {
    const tiff = tiffOf([3, 5, 2], flavour);
    const before = Buffer.from(tiff);
    const seen: unknown[] = [];
    for await (const page of separatePages(tiff, 3)) {
      const { width, pages } = await sharp(page).metadata();
      seen.push([width, pages ?? 1]);
    }
    expect(seen).toEqual([
      [3, 1],
      [5, 1],
      [2, 1],
    ]);
    expect(tiff.equals(before)).toBe(true);
  },
);

it.each([
  ['has fewer pages than it must have', tiffOf([3, 5]), 3],
  ['leaves the file', tiffOf([3, 5]).subarray(0, 20), 2],
])('refuses a chain that %s', async (_how, tiff, count) => {
  const pages = async (): Promise<void> => {
    for await (const page of separatePages(tiff, count)) expect(page).toBe(tiff);
  };
  await expect(pages()).rejects.toThrow(SaveError);
});

it('refuses more pages of different sizes than it may open one by one', async () => {
  const options = { verify: 'pixels', maxPixels: 1e9 } as const;
  const widths = Array.from({ length: 10_001 }, (_, page) => 1 + (page % 2));
  await expect(inspectInHost('tiff', new MemoryBytes(tiffOf(widths)), options)).rejects.toMatchObject({
    code: 'too-many-pixels',
  });
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
  const widths = Array.from({ length: 50 }, (_, page) => 1 + (page % 2));
  const options = { verify: 'pixels', maxPixels: 1e9, signal } as const;
  await expect(inspectInHost('tiff', new MemoryBytes(tiffOf(widths)), options)).rejects.toThrow(
    'the deadline passed',
  );
  expect(opened).toBe(5);
  spy.mockRestore();
});
