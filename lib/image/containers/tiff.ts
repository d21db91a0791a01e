// TIFF and BigTIFF: directories (image file directories, IFDs). There is no end mark: all bytes that they name must be there.
import { MemoryBytes, type ImageBytes } from '../../bytes/image-bytes.js';
import { ByteReader, readUint } from '../byte-reader.js';
import { broken, incomplete } from '../refusals.js';

/** Tags: the size of a page, its compression, its tiles, further directories. (TIFF 6.0 section 8; technical note 1.) */
const [WIDTH, LENGTH, COMPRESSION, TILE_OFFSETS, SUB_IFDS] = [256, 257, 259, 324, 330] as const;

/** The tags for offsets and byte counts of strips, tiles and old-style JPEGs. (TIFF 6.0 sections 8, 15 and 22.) */
const OFFSETS_AND_COUNTS = [
  [273, 279],
  [TILE_OFFSETS, 325],
  [513, 514],
] as const;

const READ = new Set<number>([WIDTH, LENGTH, COMPRESSION, ...OFFSETS_AND_COUNTS.flat(), SUB_IFDS]);

/** The bytes of one value, by field type. (TIFF 6.0 section 2, "Types"; 13 is IFD, 16 to 18 are BigTIFF's.) */
const TYPE_BYTES = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8];

/** The maximum number of directories, libtiff's `TIFF_MAX_DIR_COUNT`. It also bounds the memory for them. */
const MAX_DIRECTORIES = 1_048_576;

/** The number formats of a TIFF. */
interface TiffLayout {
  readonly littleEndian: boolean;
  /** The bytes of an offset and of a number of values: 4, or 8 in a BigTIFF. Also where the first offset is. */
  readonly offsetBytes: number;
}

/** The values of one tag: numbers of `width` bytes each. */
interface TiffField {
  readonly littleEndian: boolean;
  readonly position: number;
  readonly count: number;
  readonly width: number;
}

/** One directory. */
interface TiffDirectory extends TiffLayout {
  /** Where it is, where its entries begin, and the bytes of one. */
  readonly position: number;
  readonly entriesAt: number;
  readonly entryBytes: number;
  readonly fields: ReadonlyMap<number, TiffField>;
  /** Where the position of the next directory is, and that position: 0 after the last one. */
  readonly nextAt: number;
  readonly next: number;
}

/**
 * Reads the chain of directories, then those that their SubIFDs tags name, each once.
 *
 * @throws SaveError `broken-image` when the chain is a circle, when directories or lists of them share bytes so often
 * that they are longer than the file together, or when there are more than libtiff opens.
 */
async function* readDirectories(reader: ByteReader): AsyncGenerator<TiffDirectory> {
  const littleEndian = (await reader.uint(0, 1)) === 0x49;
  // TIFF 6.0 section 2; a BigTIFF has version 43.
  const offsetBytes = (await reader.uint(2, 2, littleEndian)) === 43 ? 8 : 4;
  const seen = new Set<number>();
  let bytesLeft = reader.length;
  const spend = (bytes: number): void => {
    bytesLeft -= bytes;
    if (bytesLeft < 0) throw broken();
  };
  const readOnce = async (position: number): Promise<TiffDirectory> => {
    if (seen.size === MAX_DIRECTORIES) throw broken();
    seen.add(position);
    return readDirectory(reader, { littleEndian, offsetBytes }, position, spend);
  };
  const subIfds: TiffField[] = [];
  let position = await reader.uint(offsetBytes, offsetBytes, littleEndian);
  while (position !== 0) {
    if (seen.has(position)) throw broken();
    const directory = await readOnce(position);
    yield directory;
    const children = directory.fields.get(SUB_IFDS);
    if (children !== undefined) subIfds.push(children);
    position = directory.next;
  }
  const listReader = reader.clone();
  for (const children of subIfds) {
    // A short list is stored in its directory and was counted with it.
    if (children.count * children.width > offsetBytes) spend(children.count * children.width);
    for (let index = 0; index < children.count; index += 1) {
      const child = await readValue(listReader, children, index);
      if (child !== 0 && !seen.has(child)) yield await readOnce(child);
    }
  }
}

async function readDirectory(
  reader: ByteReader,
  layout: TiffLayout,
  position: number,
  spend: (bytes: number) => void,
): Promise<TiffDirectory> {
  const { littleEndian, offsetBytes } = layout;
  const [entryCountBytes, entryBytes] = [offsetBytes === 8 ? 8 : 2, 4 + 2 * offsetBytes];
  const entries = await reader.uint(position, entryCountBytes, littleEndian);
  // A tag is a 16-bit number, and occurs once in a directory.
  if (entries > 0xffff) throw broken();
  const entriesAt = position + entryCountBytes;
  const nextAt = entriesAt + entries * entryBytes;
  if (nextAt + offsetBytes > reader.length) throw incomplete();
  spend(nextAt + offsetBytes - position);
  const fields = new Map<number, TiffField>();
  for (let entryAt = entriesAt; entryAt < nextAt; entryAt += entryBytes) {
    const entry = await reader.read(entryAt, entryBytes);
    const tag = readUint(entry.subarray(0, 2), littleEndian);
    const width = TYPE_BYTES[readUint(entry.subarray(2, 4), littleEndian)] ?? 0;
    const count = readUint(entry.subarray(4, 4 + offsetBytes), littleEndian);
    const valueAt = 4 + offsetBytes;
    const isInEntry = count * width <= offsetBytes;
    const valuesAt = isInEntry ? entryAt + valueAt : readUint(entry.subarray(valueAt), littleEndian);
    if (valuesAt + count * width > reader.length) throw incomplete();
    if (!READ.has(tag)) continue;
    // Values of unknown type have no length, so the file does not bound their number.
    if (width === 0) throw broken();
    fields.set(tag, { littleEndian, position: valuesAt, count, width });
  }
  const next = await reader.uint(nextAt, offsetBytes, littleEndian);
  return { ...layout, position, entriesAt, entryBytes, fields, nextAt, next };
}

/** The value of a tag at `index`, 0 where there is none. */
async function readValue(reader: ByteReader, field: TiffField | undefined, index = 0): Promise<number> {
  if (field === undefined || index >= field.count) return 0;
  const { position, width, littleEndian } = field;
  return reader.uint(position + index * width, width, littleEndian);
}

/** Checks that all strips, tiles and old-style JPEGs that the directories of a TIFF name are in the file. */
export async function walkTiff(reader: ByteReader): Promise<void> {
  const offsetsReader = reader.clone();
  const countsReader = reader.clone();
  // Lists with bytes of their own are shorter than the file together. Lists that share bytes have no such bound.
  let listBytesLeft = reader.length;
  for await (const { fields } of readDirectories(reader)) {
    for (const [offsetsTag, countsTag] of OFFSETS_AND_COUNTS) {
      const offsets = fields.get(offsetsTag);
      if (offsets === undefined) continue;
      listBytesLeft -= offsets.count * offsets.width;
      if (listBytesLeft < 0) throw broken();
      for (let index = 0; index < offsets.count; index += 1) {
        const offset = await readValue(offsetsReader, offsets, index);
        const count = await readValue(countsReader, fields.get(countsTag), index);
        if (offset + count > reader.length) throw incomplete();
      }
    }
  }
}

/**
 * The pixels of all pages of a TIFF, smaller copies of them included.
 *
 * @throws SaveError The directories contradict each other or are not in the file.
 */
export async function countTiffPixels(reader: ByteReader): Promise<number> {
  const values = reader.clone();
  let pixels = 0;
  for await (const { fields } of readDirectories(reader)) {
    pixels += (await readValue(values, fields.get(WIDTH))) * (await readValue(values, fields.get(LENGTH)));
  }
  return pixels;
}

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
  ...[WIDTH, LENGTH, COMPRESSION, ...OFFSETS_AND_COUNTS.flat()],
  ...[258, 262, 266, 277, 278, 284, 292, 293, 317, 320, 322, 323, 332, 334, 338, 339, 347, 512, 515, 517],
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
    const { littleEndian, offsetBytes, position, entriesAt, entryBytes, nextAt, next } = page;
    let end = entriesAt;
    for (let entryAt = entriesAt; entryAt < nextAt; entryAt += entryBytes) {
      if (!PIXEL_TAGS.has(readUint(tiff.subarray(entryAt, entryAt + 2), littleEndian))) continue;
      tiff.copyWithin(end, entryAt, entryAt + entryBytes);
      end += entryBytes;
    }
    tiff.copyWithin(end, nextAt, nextAt + offsetBytes);
    const entries = (end - entriesAt) / entryBytes;
    tiff.fill(0, position, entriesAt);
    if (littleEndian) tiff.writeUInt16LE(entries, position);
    else tiff.writeUInt16BE(entries, entriesAt - 2);
    // The directories behind the last page are those that a removed tag has named.
    if (next === 0) return;
  }
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
