// TIFF and BigTIFF: directories (image file directories, IFDs). There is no end mark: all bytes that they name must be there.
import type { ImageBytes } from '../../bytes/image-bytes.js';
import { ByteReader, readUint } from '../byte-reader.js';
import { broken, incomplete } from '../refusals.js';

/** Tags: the size of a page, the bits of its samples, its compression. (TIFF 6.0 section 8.) */
const [WIDTH, LENGTH, BITS, COMPRESSION, SAMPLES] = [256, 257, 258, 259, 277] as const;

/** Tags: its strips, its tiles, further directories. (TIFF 6.0 section 8; technical note 1.) */
const [STRIP_OFFSETS, TILE_OFFSETS, SUB_IFDS] = [273, 324, 330] as const;

/** The tags for offsets and byte counts of strips, tiles and old-style JPEGs. (TIFF 6.0 sections 8, 15 and 22.) */
const OFFSETS_AND_COUNTS = [
  [STRIP_OFFSETS, 279],
  [TILE_OFFSETS, 325],
  [513, 514],
] as const;

/** The tags that are read, but for further directories: they tell how pixels are stored. */
export const STORAGE_TAGS = [WIDTH, LENGTH, BITS, COMPRESSION, SAMPLES, ...OFFSETS_AND_COUNTS.flat()];

const READ = new Set<number>([...STORAGE_TAGS, SUB_IFDS]);

/** The bytes of one value, by field type. (TIFF 6.0 section 2, "Types"; 13 is IFD, 16 to 18 are BigTIFF's.) */
const TYPE_BYTES = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8];

/** The maximum number of directories, libtiff's `TIFF_MAX_DIR_COUNT`. It also bounds the memory for them. */
const MAX_DIRECTORIES = 1_048_576;

/** The number formats of a TIFF. */
interface TiffLayout {
  readonly littleEndian: boolean;
  /** The bytes of an offset and of a number of values: 4, or 8 in a BigTIFF. Also where the first offset is. */
  readonly offsetBytes: number;
  /** The bytes of a directory's number of entries, and of one entry. */
  readonly entryCountBytes: number;
  readonly entryBytes: number;
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
  readonly entriesAt: number;
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
export async function* readDirectories(reader: ByteReader): AsyncGenerator<TiffDirectory> {
  const littleEndian = (await reader.uint(0, 1)) === 0x49;
  // TIFF 6.0 section 2; a BigTIFF has version 43.
  const offsetBytes = (await reader.uint(2, 2, littleEndian)) === 43 ? 8 : 4;
  const entryCountBytes = offsetBytes === 8 ? 8 : 2;
  const layout = { littleEndian, offsetBytes, entryCountBytes, entryBytes: 4 + 2 * offsetBytes };
  const seen = new Set<number>();
  let bytesLeft = reader.length;
  const spend = (bytes: number): void => {
    bytesLeft -= bytes;
    if (bytesLeft < 0) throw broken();
  };
  const readOnce = async (position: number): Promise<TiffDirectory> => {
    if (seen.size === MAX_DIRECTORIES) throw broken();
    seen.add(position);
    return readDirectory(reader, layout, position, spend);
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
  const { littleEndian, offsetBytes, entryCountBytes, entryBytes } = layout;
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
  return { ...layout, entriesAt, fields, nextAt, next };
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
        if (offset + count <= reader.length) continue;
        if (offset + (await readBareLength(countsReader, fields)) > reader.length) throw incomplete();
      }
    }
  }
}

/**
 * The bytes of a page that is one strip without compression, infinite for others. Decoders compute them where the strip
 * is said to be longer than the file, as some programs write.
 */
async function readBareLength(reader: ByteReader, fields: TiffDirectory['fields']): Promise<number> {
  const read = (tag: number): Promise<number> => readValue(reader, fields.get(tag));
  if (fields.get(STRIP_OFFSETS)?.count !== 1 || (await read(COMPRESSION)) > 1) return Infinity;
  const bits = ((await read(BITS)) || 1) * ((await read(SAMPLES)) || 1);
  return (await read(LENGTH)) * Math.ceil(((await read(WIDTH)) * bits) / 8) || Infinity;
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
