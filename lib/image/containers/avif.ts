// AVIF: a file of boxes. Item locations and chunk offsets give the positions of the coded bytes.
import type { ByteReader } from '../byte-reader.js';
import { hasBrand, MAGIC_BYTES } from '../formats.js';
import { broken, incomplete } from '../refusals.js';

/** The boxes that are opened, down to the chunk offsets of a track and the properties of items. (ISO/IEC 14496-12 8.) */
const CONTAINERS = new Set(['trak', 'mdia', 'minf', 'stbl', 'iprp', 'ipco']);

/** The types of items that have pixels. (ISO/IEC 23008-12 6.6.2; AV1 Image File Format 2.1.) */
const IMAGE_TYPES = new Set(['av01', 'grid', 'iovl', 'iden']);

/** A version and flags come before the boxes of a `meta` box, and before the fields of most others. In bytes. */
const VERSION_BYTES = 4;

/** A box. (ISO/IEC 14496-12 4.2.) */
interface Box {
  readonly type: string;
  /** The position of the contents. */
  readonly body: number;
  /** The position behind the box. */
  readonly end: number;
  /** Whether the box has no size of its own and takes the rest of the file. */
  readonly extendsToEnd: boolean;
}

/**
 * Checks that all coded bytes of an AVIF are in the file. Behind them, any bytes may follow: part of a box as well.
 *
 * The items of a still image have an offset and a length. A chunk of a sequence has an offset alone, so the box around
 * the chunk must be complete.
 */
export async function walkAvif(reader: ByteReader): Promise<void> {
  const isSequence = await isAvifSequence(reader);
  let items: Awaited<ReturnType<typeof readItemLocations>> | undefined;
  let lastChunk: number | undefined;
  let sizedEnd = 0;
  let end = 0;
  for await (const box of readBoxes(reader, 0, reader.length)) {
    end = behind(box);
    if (!box.extendsToEnd) sizedEnd = box.end;
    // A file has one `meta` and one `moov` box. A second one belongs to the bytes behind the image.
    if (box.type === 'meta' && items === undefined) {
      for await (const inner of readContents(reader, box, VERSION_BYTES)) {
        if (inner.type === 'iloc') items ??= await readItemLocations(reader, inner);
      }
    }
    if (box.type === 'moov' && isSequence) lastChunk ??= await readLastChunk(reader, box);
  }
  if (isSequence ? lastChunk === undefined : items === undefined) throw incomplete();
  if (items !== undefined && (items.end > reader.length || items.lastOpenStart >= end)) throw incomplete();
  if (lastChunk !== undefined && lastChunk >= sizedEnd) throw incomplete();
}

/** Whether an AVIF has a sequence of images: it is animated. */
export async function isAvifSequence(reader: ByteReader): Promise<boolean> {
  return hasBrand(await reader.read(0, Math.min(MAGIC_BYTES, reader.length)), 'avis');
}

/** The pixels of all images that {@link readAvifImages} counts, each as large as the largest. */
export async function countAvifPixels(reader: ByteReader): Promise<number> {
  const { count, pixels } = await readAvifImages(reader);
  return count * pixels;
}

/**
 * Counts the images that an AVIF shows by themselves: no tiles, thumbnails or alpha channels. A tile of a grid is a part
 * of another image even if the file does not hide it.
 *
 * @returns Their number, and the pixels of the largest image.
 * @throws SaveError The boxes contradict each other.
 */
export async function readAvifImages(reader: ByteReader): Promise<{ count: number; pixels: number }> {
  const [shown, parts] = [new Set<number>(), new Set<number>()];
  let pixels = 0;
  for await (const meta of readBoxes(reader, 0, reader.length)) {
    if (meta.type !== 'meta') continue;
    for await (const box of readContents(reader, meta, VERSION_BYTES)) {
      if (box.end - box.body < VERSION_BYTES) continue;
      const numbers = new UintReader(reader, box.body);
      const version = await numbers.next(1);
      numbers.position += 3;
      const [entriesAt, idBytes] = version === 0 ? [6, 2] : [8, 4];
      if (box.type === 'ispe') {
        pixels = Math.max(pixels, (await numbers.next(4)) * (await numbers.next(4)));
      } else if (box.type === 'iinf') {
        for await (const entry of readContents(reader, box, entriesAt)) await addShown(reader, entry, shown);
      } else if (box.type === 'iref') {
        for await (const reference of readContents(reader, box, VERSION_BYTES)) {
          await addParts(reader, reference, idBytes, parts);
        }
      }
    }
  }
  for (const id of parts) shown.delete(id);
  return { count: shown.size, pixels };
}

/** Adds an item that has pixels and is not hidden. (ISO/IEC 14496-12 8.11.6; ISO/IEC 23008-12 6.4.2.) */
async function addShown(reader: ByteReader, { body }: Box, shown: Set<number>): Promise<void> {
  const numbers = new UintReader(reader, body);
  const [version, flags] = [await numbers.next(1), await numbers.next(3)];
  const id = await numbers.next(version < 3 ? 2 : 4);
  const type = (await reader.read(numbers.position + 2, 4)).toString('latin1');
  if (IMAGE_TYPES.has(type) && flags % 2 === 0) shown.add(id);
}

/** Adds the items that a reference makes parts of another item. (ISO/IEC 14496-12 8.11.12; ISO/IEC 23008-12 6.4.) */
async function addParts(reader: ByteReader, box: Box, idBytes: number, parts: Set<number>): Promise<void> {
  const numbers = new UintReader(reader, box.body);
  const from = await numbers.next(idBytes);
  if (box.type === 'thmb' || box.type === 'auxl') parts.add(from);
  if (box.type !== 'dimg') return;
  for (let count = await numbers.next(2); count > 0 && numbers.position < box.end; count -= 1) {
    parts.add(await numbers.next(idBytes));
  }
}

/** The position of the next box that is visited: the first inside a container. */
const behind = ({ type, body, end }: Box): number => (CONTAINERS.has(type) ? body : end);

/** The boxes in the contents of a box. Less than the head of a box behind them is padding. */
async function* readContents(reader: ByteReader, box: Box, skip: number): AsyncGenerator<Box> {
  const end = yield* readBoxes(reader, box.body + skip, box.end);
  if (end + 8 <= box.end) throw broken();
}

/**
 * Reads the boxes between two positions, those in the containers included.
 *
 * @returns The position behind the last box, which is before `end` if other bytes follow.
 */
async function* readBoxes(reader: ByteReader, start: number, end: number): AsyncGenerator<Box, number> {
  for (let position = start; ;) {
    const box = await readBox(reader, position, end);
    if (box === undefined) return position;
    yield box;
    position = behind(box);
  }
}

/** The box at a position, undefined where the bytes up to `end` are no complete box. */
async function readBox(reader: ByteReader, position: number, end: number): Promise<Box | undefined> {
  if (position + 8 > end) return undefined;
  const head = await reader.read(position, 8);
  const type = head.toString('latin1', 4);
  let size = head.readUInt32BE(0);
  let headBytes = 8;
  const extendsToEnd = size === 0;
  if (extendsToEnd) size = end - position;
  if (size === 1) {
    headBytes = 16;
    if (position + headBytes > end) return undefined;
    size = await reader.uint(position + 8, 8);
  }
  if (size < headBytes || position + size > end) return undefined;
  return { type, body: position + headBytes, end: position + size, extendsToEnd };
}

/** The greatest chunk offset of all tracks, -1 where there are no chunks. (ISO/IEC 14496-12 8.7.5.) */
async function readLastChunk(reader: ByteReader, moov: Box): Promise<number> {
  let last = -1;
  for await (const { type, body, end } of readContents(reader, moov, 0)) {
    if (type !== 'stco' && type !== 'co64') continue;
    const numbers = new UintReader(reader, body + VERSION_BYTES);
    for (let chunks = await numbers.next(4); chunks > 0 && numbers.position < end; chunks -= 1) {
      last = Math.max(last, await numbers.next(type === 'stco' ? 4 : 8));
    }
  }
  return last;
}

/** Reads unsigned numbers of given widths (0 to 15 bytes, big-endian) one after the other. */
class UintReader {
  readonly #reader: ByteReader;
  position: number;

  constructor(reader: ByteReader, position: number) {
    this.#reader = reader;
    this.position = position;
  }

  next(width: number): Promise<number> {
    this.position += width;
    return this.#reader.uint(this.position - width, width);
  }
}

/**
 * Reads where the coded bytes of the items are. (ISO/IEC 14496-12 8.11.3.)
 *
 * @returns The position behind all extents that have a length, and the start of the last one without, -1 for none.
 */
async function readItemLocations(reader: ByteReader, iloc: Box) {
  const numbers = new UintReader(reader, iloc.body);
  const version = await numbers.next(1);
  numbers.position += 3;
  const widths = await numbers.next(2);
  const [offsetWidth, lengthWidth, baseWidth] = [widths >> 12, (widths >> 8) & 15, (widths >> 4) & 15];
  const indexWidth = version > 0 ? widths & 15 : 0;
  const idWidth = version < 2 ? 2 : 4;
  const items = await numbers.next(idWidth);
  let end = 0;
  let lastOpenStart = -1;
  for (let item = 0; item < items && numbers.position < iloc.end; item += 1) {
    numbers.position += idWidth;
    const method = version > 0 ? (await numbers.next(2)) & 15 : 0;
    numbers.position += 2;
    const base = await numbers.next(baseWidth);
    const extents = await numbers.next(2);
    // Extents without bytes of their own are all the same.
    const distinct = indexWidth + offsetWidth + lengthWidth === 0 ? Math.min(1, extents) : extents;
    for (let extent = 0; extent < distinct && numbers.position < iloc.end; extent += 1) {
      numbers.position += indexWidth;
      const offset = base + (await numbers.next(offsetWidth));
      const length = await numbers.next(lengthWidth);
      // Methods 1 and 2 point into the `meta` box, which is complete.
      if (method !== 0) continue;
      // A length of 0 stands for the rest of the file.
      if (length === 0) lastOpenStart = Math.max(lastOpenStart, offset);
      else end = Math.max(end, offset + length);
    }
  }
  return { end, lastOpenStart };
}
