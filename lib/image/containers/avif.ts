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
  for await (const box of readBoxes(reader)) {
    end = behind(box);
    if (!box.extendsToEnd) sizedEnd = box.end;
    // A file has one `meta` and one `moov` box. A second one belongs to the bytes behind the image.
    if (box.type === 'meta' && items === undefined) {
      for await (const inner of readBoxes(reader, box.body + VERSION_BYTES, box.end)) {
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

/**
 * Counts the images that an AVIF shows by themselves: no tiles, thumbnails or alpha channels. A tile of a grid is a part
 * of another image even if the file does not hide it.
 *
 * @returns Their number and pixels, each as large as the largest.
 * @throws SaveError The boxes contradict each other.
 */
export async function readAvifImages(reader: ByteReader): Promise<{ count: number; pixels: number }> {
  const [shown, parts] = [new Set<number>(), new Set<number>()];
  let largest = 0;
  for await (const meta of readBoxes(reader)) {
    if (meta.type !== 'meta') continue;
    for await (const box of readBoxes(reader, meta.body + VERSION_BYTES, meta.end)) {
      if (box.end - box.body < VERSION_BYTES) continue;
      reader.position = box.body;
      const version = await reader.next(1);
      reader.position += 3;
      const [entriesAt, idBytes] = version === 0 ? [6, 2] : [8, 4];
      if (box.type === 'ispe') {
        largest = Math.max(largest, (await reader.next(4)) * (await reader.next(4)));
      } else if (box.type === 'iinf') {
        for await (const entry of readBoxes(reader, box.body + entriesAt, box.end))
          await addShown(reader, entry, shown);
      } else if (box.type === 'iref') {
        for await (const reference of readBoxes(reader, box.body + VERSION_BYTES, box.end)) {
          await addParts(reader, reference, idBytes, parts);
        }
      }
    }
  }
  for (const id of parts) shown.delete(id);
  return { count: shown.size, pixels: shown.size * largest };
}

/** Adds an item that has pixels and is not hidden. (ISO/IEC 14496-12 8.11.6; ISO/IEC 23008-12 6.4.2.) */
async function addShown(reader: ByteReader, { body }: Box, shown: Set<number>): Promise<void> {
  reader.position = body;
  const [version, flags] = [await reader.next(1), await reader.next(3)];
  const id = await reader.next(version < 3 ? 2 : 4);
  const type = (await reader.read(reader.position + 2, 4)).toString('latin1');
  if (IMAGE_TYPES.has(type) && flags % 2 === 0) shown.add(id);
}

/** Adds the items that a reference makes parts of another item. (ISO/IEC 14496-12 8.11.12; ISO/IEC 23008-12 6.4.) */
async function addParts(reader: ByteReader, box: Box, idBytes: number, parts: Set<number>): Promise<void> {
  reader.position = box.body;
  const from = await reader.next(idBytes);
  if (box.type === 'thmb' || box.type === 'auxl') parts.add(from);
  if (box.type !== 'dimg') return;
  for (let count = await reader.next(2); count > 0 && reader.position < box.end; count -= 1) {
    parts.add(await reader.next(idBytes));
  }
}

/** The position of the next box that is visited: the first inside a container. */
const behind = ({ type, body, end }: Box): number => (CONTAINERS.has(type) ? body : end);

/**
 * The boxes of the file, or from one position in a box to another, those in the containers included. Behind them, less
 * than the head of a box is padding. Behind those of the file, any bytes may follow.
 */
async function* readBoxes(reader: ByteReader, start = 0, end = reader.length): AsyncGenerator<Box> {
  let position = start;
  for (let box; (box = await readBox(reader, position, end)) !== undefined; position = behind(box)) yield box;
  // The file begins at 0.
  if (start > 0 && position + 8 <= end) throw broken();
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
  for await (const { type, body, end } of readBoxes(reader, moov.body, moov.end)) {
    if (type !== 'stco' && type !== 'co64') continue;
    reader.position = body + VERSION_BYTES;
    for (let chunks = await reader.next(4); chunks > 0 && reader.position < end; chunks -= 1) {
      last = Math.max(last, await reader.next(type === 'stco' ? 4 : 8));
    }
  }
  return last;
}

/**
 * Reads where the coded bytes of the items are. (ISO/IEC 14496-12 8.11.3.)
 *
 * @returns The position behind all extents that have a length, and the start of the last one without, -1 for none.
 */
async function readItemLocations(reader: ByteReader, iloc: Box) {
  reader.position = iloc.body;
  const version = await reader.next(1);
  reader.position += 3;
  const widths = await reader.next(2);
  const [offsetWidth, lengthWidth, baseWidth] = [widths >> 12, (widths >> 8) & 15, (widths >> 4) & 15];
  const indexWidth = version > 0 ? widths & 15 : 0;
  const idWidth = version < 2 ? 2 : 4;
  const items = await reader.next(idWidth);
  let end = 0;
  let lastOpenStart = -1;
  for (let item = 0; item < items && reader.position < iloc.end; item += 1) {
    reader.position += idWidth;
    const method = version > 0 ? (await reader.next(2)) & 15 : 0;
    reader.position += 2;
    const base = await reader.next(baseWidth);
    const extents = await reader.next(2);
    // Extents without bytes of their own are all the same.
    const distinct = indexWidth + offsetWidth + lengthWidth === 0 ? Math.min(1, extents) : extents;
    for (let extent = 0; extent < distinct && reader.position < iloc.end; extent += 1) {
      reader.position += indexWidth;
      const offset = base + (await reader.next(offsetWidth));
      const length = await reader.next(lengthWidth);
      // Methods 1 and 2 point into the `meta` box, which is complete.
      if (method !== 0) continue;
      // A length of 0 stands for the rest of the file.
      if (length === 0) lastOpenStart = Math.max(lastOpenStart, offset);
      else end = Math.max(end, offset + length);
    }
  }
  return { end, lastOpenStart };
}
