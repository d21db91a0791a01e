// Changes to the bytes of a TIFF in memory, so that a decoder sees one page, or only the tags about pixels.
import { MemoryBytes } from '../../bytes/image-bytes.js';
import { ByteReader, readUint } from '../byte-reader.js';
import { broken } from '../refusals.js';
import { readDirectories, STORAGE_TAGS } from './tiff.js';

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
  /** The bytes of the offset that leads to the next page. */
  let offset: Buffer | undefined;
  for await (const { nextAt, offsetBytes } of readDirectories(new ByteReader(new MemoryBytes(tiff)))) {
    const bytesAt = (at: number): Buffer => Buffer.from(tiff.subarray(at, at + offsetBytes));
    const [first, next] = [bytesAt(offsetBytes), bytesAt(nextAt)];
    tiff.fill(0, nextAt, nextAt + offsetBytes);
    tiff.set(offset ?? first, offsetBytes);
    yield tiff;
    tiff.set(first, offsetBytes);
    tiff.set(next, nextAt);
    offset = next;
    pages += 1;
    if (pages === count) return;
  }
  throw broken(new Error(`${pages} of ${count} pages are in the chain of directories`));
}

/** The tags that tell how pixels are coded. (TIFF 6.0 part 2 and 3; technical notes 1 and 2; SGI's 32997, 32998.) */
const PIXEL_TAGS = new Set<number>([
  ...STORAGE_TAGS,
  ...[262, 266, 278, 284, 292, 293, 317, 320, 322, 323, 332, 334, 338, 339, 347, 512, 515, 517],
  ...[518, 519, 520, 521, 529, 530, 531, 532, 32_997, 32_998],
]);

/**
 * Removes all other tags from the pages of a TIFF.
 *
 * @param tiff All bytes of the TIFF; they are written to.
 * @throws SaveError A directory is not in the file.
 */
export async function removeOtherTags(tiff: Buffer): Promise<void> {
  for await (const page of readDirectories(new ByteReader(new MemoryBytes(tiff)))) {
    const { littleEndian, offsetBytes, entryCountBytes, entryBytes, entriesAt, nextAt, next } = page;
    let end = entriesAt;
    for (let entryAt = entriesAt; entryAt < nextAt; entryAt += entryBytes) {
      if (!PIXEL_TAGS.has(readUint(tiff.subarray(entryAt, entryAt + 2), littleEndian))) continue;
      tiff.copyWithin(end, entryAt, entryAt + entryBytes);
      end += entryBytes;
    }
    tiff.copyWithin(end, nextAt, nextAt + offsetBytes);
    const entries = (end - entriesAt) / entryBytes;
    tiff.fill(0, entriesAt - entryCountBytes, entriesAt);
    if (littleEndian) tiff.writeUInt16LE(entries, entriesAt - entryCountBytes);
    else tiff.writeUInt16BE(entries, entriesAt - 2);
    // The directories behind the last page are those that a removed tag has named.
    if (next === 0) return;
  }
}
