// The pages of a TIFF one by one, and how their pixels are compressed.
import { MemoryBytes, type ImageBytes } from '../bytes/image-bytes.js';
import { ByteReader, writeUint } from './byte-reader.js';
import { broken } from './refusals.js';
import { COMPRESSION, readDirectories, readValue, TILE_OFFSETS } from './containers/tiff.js';

/**
 * Shows a TIFF as if each page in turn were its only one. Libtiff reads all directories before a page to open that
 * page, so opening each page of the file itself takes time in proportion to the square of their number.
 *
 * @param tiff All bytes of the TIFF; they are written to, so they must belong to the caller.
 * @param count The required number of pages.
 * @returns The same buffer each time, valid until the next page is asked for.
 * @throws SaveError There are fewer pages, or a directory is not in the file.
 */
export async function* separatePages(tiff: Buffer, count: number): AsyncGenerator<Buffer> {
  let pages = 0;
  let first: number | undefined;
  for await (const directory of readDirectories(new ByteReader(new MemoryBytes(tiff)))) {
    const { position, nextAt, next, offsetBytes, littleEndian } = directory;
    const write = (at: number, value: number): void => {
      writeUint(tiff.subarray(at, at + offsetBytes), value, littleEndian);
    };
    first ??= position;
    write(nextAt, 0);
    write(offsetBytes, position);
    yield tiff;
    write(offsetBytes, first);
    write(nextAt, next);
    pages += 1;
    if (pages === count) return;
  }
  throw broken(new Error(`${pages} of ${count} pages are in the chain of directories`));
}

// Sharp's prebuilt libtiff: none, CCITT, LZW, JPEG, Deflate, PackBits, NeXT, ThunderScan, SGILog, WebP.
const DECODED = new Set([1, 2, 3, 4, 5, 7, 8, 32766, 32771, 32773, 32809, 32946, 34676, 34677, 50001]);

/** Other compressions by their registered numbers, for messages. */
const COMPRESSION_NAMES: ReadonlyMap<number, string> = new Map([
  [6, 'old-style JPEG'],
  [32909, 'PixarLog'],
  [33003, 'JPEG 2000'],
  [33004, 'JPEG 2000'],
  [33005, 'JPEG 2000'],
  [34661, 'JBIG'],
  [34712, 'JPEG 2000'],
  [34887, 'LERC'],
  [34925, 'LZMA'],
  [50000, 'ZSTD'],
  [50002, 'JPEG XL'],
  [52546, 'JPEG XL'],
]);

/** The first compression of a whole TIFF that sharp's prebuilt decoder does not have, by name or number. */
export async function findUnsupportedCompression(bytes: ImageBytes): Promise<string | undefined> {
  const reader = new ByteReader(bytes);
  const values = reader.clone();
  for await (const { fields } of readDirectories(reader)) {
    const compression = await readValue(values, fields.get(COMPRESSION));
    // 0 is no number: without the tag there is no compression.
    if (compression > 0 && !DECODED.has(compression))
      return COMPRESSION_NAMES.get(compression) ?? `number ${compression}`;
  }
  return undefined;
}

/**
 * Whether any page of a whole TIFF is stored in tiles.
 *
 * @param signal Stops the search when it next yields to the event loop, with the signal's reason.
 */
export async function isTiledTiff(bytes: ImageBytes, signal?: AbortSignal): Promise<boolean> {
  for await (const { fields } of readDirectories(new ByteReader(bytes, signal))) {
    if (fields.has(TILE_OFFSETS)) return true;
  }
  return false;
}
