// The directories of a TIFF (image file directories, IFDs), and the values of their tags.
import { readUint, type ByteReader } from '../byte-reader.js';
import { broken, incomplete } from '../refusals.js';

export const TILE_OFFSETS = 324;
const SUB_IFDS = 330;

/** The tags for offsets and byte counts of strips, tiles and old-style JPEGs. (TIFF 6.0 sections 8, 15 and 22.) */
export const OFFSETS_AND_COUNTS = [
  [273, 279],
  [TILE_OFFSETS, 325],
  [513, 514],
] as const;

/** The tags for the size of a page. (TIFF 6.0 section 8.) */
const [WIDTH, LENGTH] = [256, 257];

const KEPT = new Set<number>([WIDTH, LENGTH, ...OFFSETS_AND_COUNTS.flat(), SUB_IFDS]);

/** The bytes of one value, by field type. (TIFF 6.0 section 2, "Types"; 13 is IFD, 16 to 18 are BigTIFF's.) */
const TYPE_BYTES = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8];

/** The maximum number of directories, libtiff's `TIFF_MAX_DIR_COUNT`. It also bounds the memory for them. */
const MAX_DIRECTORIES = 1_048_576;

/** The number formats of a TIFF. */
export interface TiffLayout {
  readonly littleEndian: boolean;
  /** The bytes of the number of entries in a directory: 2, or 8 in a BigTIFF. */
  readonly entryCountBytes: number;
  /** The bytes of an offset and of a number of values: 4, or 8 in a BigTIFF. */
  readonly offsetBytes: number;
  /** The position of the first directory. */
  readonly first: number;
}

/** The values of one tag: numbers of `width` bytes each. */
export interface TiffField {
  readonly position: number;
  readonly count: number;
  readonly width: number;
}

/** One directory. */
export interface TiffDirectory {
  /** The size of the page, and the tags with the positions of other bytes of the file. */
  readonly fields: ReadonlyMap<number, TiffField>;
  /** The position of the next directory in the chain; 0 if it is the last. */
  readonly next: number;
}

/** Reads the header. (TIFF 6.0 section 2; BigTIFF has version 43.) */
export async function readLayout(reader: ByteReader): Promise<TiffLayout> {
  const littleEndian = (await reader.read(0, 8)).readUInt8(0) === 0x49;
  const big = readUint(await reader.read(2, 2), littleEndian) === 43;
  const [entryCountBytes, offsetBytes] = big ? [8, 8] : [2, 4];
  const first = readUint(await reader.read(offsetBytes, offsetBytes), littleEndian);
  return { littleEndian, entryCountBytes, offsetBytes, first };
}

/**
 * Reads the chain of directories, then those that their SubIFDs tags name (TIFF technical note 1), each once.
 *
 * @throws SaveError `broken-image` when the chain is a circle, when directories or lists of them share bytes so often
 * that they are longer than the file together, or when there are more than libtiff opens.
 */
export async function* readDirectories(
  reader: ByteReader,
  layout: TiffLayout,
): AsyncGenerator<TiffDirectory> {
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
  for (let position = layout.first; position !== 0;) {
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
    if (children.count * children.width > layout.offsetBytes) spend(children.count * children.width);
    for (let index = 0; index < children.count; index += 1) {
      const position = await readValue(listReader, layout, children, index);
      if (!seen.has(position)) yield await readOnce(position);
    }
  }
}

async function readDirectory(
  reader: ByteReader,
  { littleEndian, entryCountBytes, offsetBytes }: TiffLayout,
  from: number,
  spend: (bytes: number) => void,
): Promise<TiffDirectory> {
  const entries = readUint(await reader.read(from, entryCountBytes), littleEndian);
  // A tag is a 16-bit number, and occurs once in a directory.
  if (entries > 0xffff) throw broken();
  const entryBytes = 4 + 2 * offsetBytes;
  const nextAt = from + entryCountBytes + entries * entryBytes;
  if (nextAt + offsetBytes > reader.length) throw incomplete();
  spend(nextAt + offsetBytes - from);
  const fields = new Map<number, TiffField>();
  for (let position = from + entryCountBytes; position < nextAt; position += entryBytes) {
    const entry = await reader.read(position, entryBytes);
    const tag = readUint(entry.subarray(0, 2), littleEndian);
    const width = TYPE_BYTES[readUint(entry.subarray(2, 4), littleEndian)] ?? 0;
    const count = readUint(entry.subarray(4, 4 + offsetBytes), littleEndian);
    const value = entry.subarray(4 + offsetBytes);
    const inline = count * width <= offsetBytes;
    const valuesAt = inline ? position + 4 + offsetBytes : readUint(value, littleEndian);
    if (valuesAt + count * width > reader.length) throw incomplete();
    if (!KEPT.has(tag)) continue;
    // Values of unknown type have no length, so the file does not bound their number.
    if (width === 0) throw broken();
    fields.set(tag, { position: valuesAt, count, width });
  }
  return { fields, next: readUint(await reader.read(nextAt, offsetBytes), littleEndian) };
}

/** The pixels of the page of a directory. */
export async function countPagePixels(
  reader: ByteReader,
  layout: TiffLayout,
  { fields }: TiffDirectory,
): Promise<number> {
  let pixels = 1;
  for (const tag of [WIDTH, LENGTH]) {
    const field = fields.get(tag);
    pixels *= field === undefined ? 0 : await readValue(reader, layout, field, 0);
  }
  return pixels;
}

/** The value at `index`, 0 where the tag has no such value. */
export async function readValue(
  reader: ByteReader,
  { littleEndian }: TiffLayout,
  { position, count, width }: TiffField,
  index: number,
): Promise<number> {
  if (index >= count) return 0;
  return readUint(await reader.read(position + index * width, width), littleEndian);
}
