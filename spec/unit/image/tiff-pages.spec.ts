// The pages of a TIFF one by one: each is opened as if it were the only page.
import { MemoryBytes } from '../../../lib/bytes/image-bytes.js';
import sharp from 'sharp';
import { inspectInHost } from '../../../lib/image/inspect.js';
import { findUnsupportedCompression, separatePages } from '../../../lib/image/tiff-pages.js';

/** A grey, uncompressed TIFF of square pages of these widths: classic or BigTIFF, in either byte order. */
function tiffOf(widths: readonly number[], { big = false, littleEndian = true } = {}): Buffer {
  const [countBytes, offsetBytes] = big ? [8, 8] : [2, 4];
  const entryBytes = 4 + 2 * offsetBytes;
  const uint = (value: number, bytes: number): Buffer => {
    const buffer = Buffer.alloc(bytes);
    for (let index = 0, rest = value; index < bytes; index += 1, rest = Math.floor(rest / 256)) {
      buffer[littleEndian ? index : bytes - 1 - index] = rest % 256;
    }
    return buffer;
  };
  const left = (value: number, bytes: number): Buffer =>
    Buffer.concat([uint(value, bytes), Buffer.alloc(offsetBytes - bytes)]);
  const parts = [
    Buffer.from(littleEndian ? 'II' : 'MM'),
    uint(big ? 43 : 42, 2),
    ...(big ? [uint(8, 2), uint(0, 2)] : []),
    uint(big ? 16 : 8, offsetBytes),
  ];
  let at = big ? 16 : 8;
  for (const [page, width] of widths.entries()) {
    const entries = [256, 257, 258, 259, 262, 273, 277, 278, 279];
    const pixelsAt = at + countBytes + entries.length * entryBytes + offsetBytes;
    const values = [width, width, 8, 1, 1, pixelsAt, 1, width, width * width];
    parts.push(uint(entries.length, countBytes));
    for (const [index, tag] of entries.entries()) {
      const isShort = tag === 258 || tag === 259 || tag === 262 || tag === 277;
      const value = values[index] ?? 0;
      parts.push(uint(tag, 2), uint(isShort ? 3 : 4, 2), uint(1, offsetBytes), left(value, isShort ? 2 : 4));
    }
    at = pixelsAt + width * width;
    parts.push(uint(page === widths.length - 1 ? 0 : at, offsetBytes), Buffer.alloc(width * width, 9));
  }
  return Buffer.concat(parts);
}

it.each([
  { big: false, littleEndian: true },
  { big: false, littleEndian: false },
  { big: true, littleEndian: true },
  { big: true, littleEndian: false },
])('shows each page as the only one, and leaves the bytes as they were: %j', async (layout) => {
  const tiff = tiffOf([3, 5, 2], layout);
  const before = Buffer.from(tiff);
  const seen: unknown[] = [];
  for (const page of separatePages(tiff, 3)) {
    const { width, pages } = await sharp(page).metadata();
    seen.push([width, pages ?? 1]);
  }
  expect(seen).toEqual([
    [3, 1],
    [5, 1],
    [2, 1],
  ]);
  expect(tiff.equals(before)).toBe(true);
  expect(findUnsupportedCompression(tiff, 3)).toBeUndefined();
});

it('rejects a chain with fewer pages than it must have', () => {
  expect(() => [...separatePages(tiffOf([3, 5]), 3)]).toThrow(RangeError);
});

it('rejects a chain that leaves the file', () => {
  const tiff = tiffOf([3, 5]);
  expect(() => [...separatePages(tiff.subarray(0, 20), 2)]).toThrow(/out of range/);
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
