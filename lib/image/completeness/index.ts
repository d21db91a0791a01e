// Is an image there up to its format's end mark? One walk per format over bytes in memory or in an open file.
import { setImmediate } from 'node:timers/promises';
import { SaveError } from '../../errors.js';
import type { ImageFormat } from '../formats.js';
import type { ImageBytes } from '../types.js';
import { ByteReader, incomplete } from '../byte-reader.js';

function broken(): SaveError {
  return new SaveError('broken-image', 'The image is damaged. Render it again.');
}

/**
 * Walks an image of a known format to its end mark. Bytes behind that are nobody's business. Takes time in
 * proportion to the length, whatever the sizes in the image say, and memory for one page.
 *
 * @throws SaveError `incomplete-image` when the bytes end too early, `broken-image` when they make no sense.
 */
export async function assertComplete(format: ImageFormat, bytes: ImageBytes): Promise<void> {
  await WALKS[format](new ByteReader(bytes));
}

/** Whether any page of a TIFF is stored in tiles. Reads the tables of tags only, as far as they go. */
export async function isTiledTiff(bytes: ImageBytes): Promise<boolean> {
  const reader = new ByteReader(bytes);
  let tiled = false;
  try {
    for await (const ifd of readIfds(reader, await readTiffLayout(reader))) {
      tiled ||= ifd.fields.has(TILE_OFFSETS);
    }
  } catch (error) {
    if (!(error instanceof SaveError)) throw error;
  }
  return tiled;
}

const WALKS: Readonly<Record<ImageFormat, (reader: ByteReader) => Promise<void>>> = {
  jpeg: walkJpeg,
  png: walkPng,
  gif: walkGif,
  webp: walkWebp,
  avif: walkAvif,
  tiff: walkTiff,
};

// ITU-T T.81 B.1.1: segments with a length, and between them (after a start of scan) entropy-coded bytes, in
// which 0xff is followed by 0 or a restart marker. Any other marker ends them, so one rule serves for both.
async function walkJpeg(reader: ByteReader): Promise<void> {
  const SOI = 0xd8;
  const EOI = 0xd9;
  let position = 2;
  for (;;) {
    let index = reader.indexInWindow(position, 2);
    if (index === -1) index = await reader.loadWindow(position, 2);
    const { window } = reader;
    const prefix = window.indexOf(0xff, index);
    position += (prefix === -1 ? window.length : prefix) - index;
    if (prefix === -1) continue;
    const code = window[prefix + 1];
    if (code === undefined) {
      // The page ends between the two bytes of a marker; the next one begins with it.
    } else if (code === EOI) {
      return;
    } else if (code === 0xff) {
      // A fill byte, T.81 B.1.1.2: the marker comes later.
      position += 1;
    } else if (code <= 0x01 || (code >= 0xd0 && code <= SOI)) {
      // Stuffing, TEM, RSTn and SOI stand alone.
      position += 2;
    } else {
      position += 2;
      let size = reader.indexInWindow(position, 2);
      if (size === -1) size = await reader.loadWindow(position, 2);
      position += Math.max(2, reader.window.readUInt16BE(size));
    }
  }
}

// PNG 5.3: length, type, data, checksum; 11.2.5: IEND is the last chunk.
async function walkPng(reader: ByteReader): Promise<void> {
  for (let position = 8; ;) {
    const head = await reader.read(position, 8);
    const length = head.readUInt32BE(0);
    const type = head.toString('latin1', 4);
    if (!/^[a-zA-Z]{4}$/.test(type) || length > 0x7fffffff) throw broken();
    position += 12 + length;
    if (type === 'IEND') {
      if (position > reader.length) throw incomplete();
      return;
    }
  }
}

// GIF89a appendix B: a header, then images and extensions, each of which ends in a list of sub-blocks.
async function walkGif(reader: ByteReader): Promise<void> {
  const IMAGE = 0x2c;
  const EXTENSION = 0x21;
  const TRAILER = 0x3b;
  const screen = await reader.read(0, 13);
  let position = 13 + colourTableLength(screen.readUInt8(10));
  for (;;) {
    const introducer = (await reader.read(position, 1)).readUInt8(0);
    if (introducer === TRAILER) return;
    if (introducer === IMAGE) {
      const image = await reader.read(position, 10);
      position = await skipSubBlocks(reader, position + 10 + colourTableLength(image.readUInt8(9)) + 1);
    } else if (introducer === EXTENSION) {
      position = await skipSubBlocks(reader, position + 2);
    } else if (introducer === 0) {
      // A stray terminator, which some encoders write and every decoder passes over.
      position += 1;
    } else {
      throw broken();
    }
  }
}

function colourTableLength(packed: number): number {
  return packed & 0x80 ? 3 * 2 ** ((packed & 0x07) + 1) : 0;
}

/** GIF89a 15 and 16: each sub-block begins with its length, an empty one ends the list. */
async function skipSubBlocks(reader: ByteReader, from: number): Promise<number> {
  let position = from;
  for (;;) {
    let index = reader.indexInWindow(position, 1);
    if (index === -1) index = await reader.loadWindow(position, 1);
    const { window, windowStart } = reader;
    for (let length = window[index]; length !== undefined; length = window[index]) {
      index += 1 + length;
      if (length === 0) return windowStart + index;
    }
    position = windowStart + index;
  }
}

// RFC 9649 2.3 and 2.4: a RIFF chunk as long as it says, with chunks inside that fit, padded to even lengths.
async function walkWebp(reader: ByteReader): Promise<void> {
  const end = 8 + (await reader.read(0, 12)).readUInt32LE(4);
  if (end > reader.length) throw incomplete();
  let position = 12;
  while (position + 8 <= end) {
    const length = (await reader.read(position, 8)).readUInt32LE(4);
    if (position + 8 + length > end) throw broken();
    position += 8 + length + (length % 2);
  }
}

// The boxes whose children are looked at: of these only the header is skipped, of others everything.
const CONTAINERS = new Set(['meta', 'moov', 'trak', 'mdia', 'minf', 'stbl']);
// ISO/IEC 14496-12: what may stand at the top of a file. Anything else that overruns the file is trailing bytes.
const TOP_BOXES = /^(ftyp|styp|meta|moov|moof|mfra|mdat|idat|sidx|free|skip|uuid|pdin)$/;

interface Box {
  readonly type: string;
  /** The position of the contents. */
  readonly body: number;
  /** The position behind the box. */
  readonly end: number;
  /** Whether the box says that it takes the rest of the file, however much that is. */
  readonly extendsToEnd: boolean;
}

// ISO/IEC 14496-12 4.2: every box has its size; 8.11.3: the item locations say where the coded pixels are, and
// the chunk offsets (8.7.5) where those of a sequence are. Together they show a cut also between two boxes.
async function walkAvif(reader: ByteReader): Promise<void> {
  const seen = new Set<string>();
  let extendsToEnd = false;
  for (let position = 0; position + 8 <= reader.length;) {
    const box = await readBox(reader, position);
    if (box.end > reader.length) {
      if (!TOP_BOXES.test(box.type) && seen.has('meta')) break;
      throw incomplete();
    }
    seen.add(box.type);
    extendsToEnd ||= box.extendsToEnd && box.type === 'mdat';
    if (box.type === 'iloc') await checkItemLocations(reader, box);
    if (box.type === 'stco' || box.type === 'co64') await checkChunkOffsets(reader, box);
    position = CONTAINERS.has(box.type) ? box.body + (box.type === 'meta' ? 4 : 0) : box.end;
  }
  if (!seen.has('iloc') && !seen.has('moov')) throw incomplete();
  // Nothing in the file says where the frames of a sequence end if the box around them does not.
  if (seen.has('moov') && extendsToEnd) throw incomplete();
}

async function readBox(reader: ByteReader, position: number): Promise<Box> {
  const head = await reader.read(position, 8);
  const type = head.toString('latin1', 4);
  const size = head.readUInt32BE(0);
  if (size === 0) return { type, body: position + 8, end: reader.length, extendsToEnd: true };
  if (size === 1) {
    if (position + 16 > reader.length) throw incomplete();
    return checkedBox(type, position, 16, Number((await reader.read(position + 8, 8)).readBigUInt64BE(0)));
  }
  return checkedBox(type, position, 8, size);
}

function checkedBox(type: string, position: number, head: number, size: number): Box {
  if (size < head) throw broken();
  return { type, body: position + head, end: position + size, extendsToEnd: false };
}

/** Reads numbers of given widths (0 to 8 bytes, big-endian) one after the other. */
class UintReader {
  readonly #pages: ByteReader;
  position: number;

  constructor(reader: ByteReader, position: number) {
    this.#pages = reader;
    this.position = position;
  }

  async next(width: number): Promise<number> {
    const bytes = await this.#pages.read(this.position, width);
    this.position += width;
    return readUint(bytes, false);
  }
}

// ISO/IEC 14496-12 8.11.3.2
async function checkItemLocations(reader: ByteReader, box: Box): Promise<void> {
  const numbers = new UintReader(reader, box.body);
  const version = await numbers.next(1);
  numbers.position += 3;
  const sizes = await numbers.next(2);
  const [offsetSize, lengthSize, baseSize] = [sizes >> 12, (sizes >> 8) & 15, (sizes >> 4) & 15];
  const indexSize = version > 0 ? sizes & 15 : 0;
  const idSize = version < 2 ? 2 : 4;
  const items = await numbers.next(idSize);
  for (let item = 0; item < items && numbers.position < box.end; item += 1) {
    numbers.position += idSize;
    const method = version > 0 ? (await numbers.next(2)) & 15 : 0;
    numbers.position += 2;
    const base = await numbers.next(baseSize);
    const extents = await numbers.next(2);
    // Extents without any bytes of their own are all the same.
    const distinct = indexSize + offsetSize + lengthSize === 0 ? Math.min(1, extents) : extents;
    for (let extent = 0; extent < distinct && numbers.position < box.end; extent += 1) {
      numbers.position += indexSize;
      const offset = base + (await numbers.next(offsetSize));
      const length = await numbers.next(lengthSize);
      // Methods 1 and 2 point into the `meta` box, which is there.
      if (method === 0 && offset + Math.max(1, length) > reader.length) throw incomplete();
    }
  }
}

async function checkChunkOffsets(reader: ByteReader, box: Box): Promise<void> {
  const numbers = new UintReader(reader, box.body + 4);
  const width = box.type === 'co64' ? 8 : 4;
  const chunks = await numbers.next(4);
  for (let chunk = 0; chunk < chunks && numbers.position < box.end; chunk += 1) {
    if ((await numbers.next(width)) >= reader.length) throw incomplete();
  }
}

const TILE_OFFSETS = 324;
const SUB_IFDS = 330;
// Where coded bytes are, and how many: of strips, of tiles, of an old-style JPEG (TIFF 6.0 sections 8, 15, 22).
const OFFSETS_AND_COUNTS = [
  [273, 279],
  [TILE_OFFSETS, 325],
  [513, 514],
] as const;
const POINTERS = new Set<number>([...OFFSETS_AND_COUNTS.flat(), SUB_IFDS]);
// TIFF 6.0 section 2, "Types"; 13 is IFD, 16 to 18 are the 64-bit ones of BigTIFF. The index is the type.
const TYPE_LENGTHS = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8];

/** How a TIFF writes its numbers. */
interface TiffLayout {
  readonly littleEndian: boolean;
  /** BigTIFF: 64-bit offsets and counts. */
  readonly big: boolean;
  /** The position of the first table of tags. */
  readonly first: number;
}

/** The values of one tag: numbers of `width` bytes each. */
interface TiffField {
  readonly position: number;
  readonly count: number;
  readonly width: number;
}

/** One table of tags (an image file directory), of which the tags that point to others are kept. */
interface Ifd {
  readonly fields: ReadonlyMap<number, TiffField>;
  /** Its length in bytes. */
  readonly length: number;
  /** The position of the next one; 0 if it is the last. */
  readonly next: number;
}

// TIFF 6.0 section 2, BigTIFF. There is no end mark: the file is whole when all that its tables point to is in it.
async function walkTiff(reader: ByteReader): Promise<void> {
  const layout = await readTiffLayout(reader);
  // Two lists are read side by side, each from its own page.
  const countsReader = reader.clone();
  // Lists that share their bytes could keep us busy forever; such that do not are shorter than the file.
  let left = reader.length;
  for await (const { fields } of readIfds(reader, layout)) {
    for (const [offsetsTag, countsTag] of OFFSETS_AND_COUNTS) {
      const offsets = fields.get(offsetsTag);
      const counts = fields.get(countsTag);
      if (offsets === undefined) continue;
      left -= offsets.count * offsets.width;
      if (left < 0) throw broken();
      for (let index = 0; index < offsets.count; index += 1) {
        const offset = await readValue(reader, layout, offsets, index);
        const count = counts === undefined ? 0 : await readValue(countsReader, layout, counts, index);
        if (offset + count > reader.length) throw incomplete();
      }
    }
  }
}

async function readTiffLayout(reader: ByteReader): Promise<TiffLayout> {
  const littleEndian = (await reader.read(0, 8)).readUInt8(0) === 0x49;
  const version = readUint(await reader.read(2, 2), littleEndian);
  const big = version === 43;
  const first = readUint(await reader.read(big ? 8 : 4, big ? 8 : 4), littleEndian);
  return { littleEndian, big, first };
}

/** Every table of the chain, and those that its tables' SubIFDs tags (TIFF technical note 1) name. */
async function* readIfds(reader: ByteReader, layout: TiffLayout): AsyncGenerator<Ifd> {
  // Tables that lie on top of each other are longer than the file together, those in a circle even endless. A
  // circle passes the place where we stopped to look last; looking rarer and rarer finds circles of any size.
  let left = reader.length;
  let checkpoint = -1;
  let count = 0;
  const read = async (position: number): Promise<Ifd> => {
    await setImmediate();
    const ifd = await readIfd(reader, layout, position);
    left -= ifd.length;
    if (left < 0) throw broken();
    return ifd;
  };
  for (let position = layout.first; position !== 0;) {
    if (position === checkpoint) throw broken();
    count += 1;
    if ((count & (count - 1)) === 0) checkpoint = position;
    const ifd = await read(position);
    yield ifd;
    const children = ifd.fields.get(SUB_IFDS);
    for (let index = 0; index < (children?.count ?? 0); index += 1) {
      yield await read(await readValue(reader, layout, children, index));
    }
    position = ifd.next;
  }
}

async function readIfd(reader: ByteReader, { littleEndian, big }: TiffLayout, from: number): Promise<Ifd> {
  // The widths of the number of entries, of the head of an entry, and of the offset that may be its value.
  const [countWidth, offsetWidth] = big ? [8, 8] : [2, 4];
  const entryLength = 4 + 2 * offsetWidth;
  const entries = readUint(await reader.read(from, countWidth), littleEndian);
  // A tag is a 16-bit number and stands there once.
  if (entries > 0xffff) throw broken();
  const fields = new Map<number, TiffField>();
  let position = from + countWidth;
  for (let entry = 0; entry < entries; entry += 1, position += entryLength) {
    const bytes = await reader.read(position, entryLength);
    const tag = readUint(bytes.subarray(0, 2), littleEndian);
    const width = TYPE_LENGTHS[readUint(bytes.subarray(2, 4), littleEndian)] ?? 0;
    const count = readUint(bytes.subarray(4, 4 + offsetWidth), littleEndian);
    const value = bytes.subarray(4 + offsetWidth);
    const inline = count * width <= offsetWidth;
    const field = {
      position: inline ? position + 4 + offsetWidth : readUint(value, littleEndian),
      count,
      width,
    };
    if (field.position + count * width > reader.length) throw incomplete();
    if (POINTERS.has(tag)) fields.set(tag, field);
  }
  const next = readUint(await reader.read(position, offsetWidth), littleEndian);
  return { fields, length: position + offsetWidth - from, next };
}

async function readValue(
  reader: ByteReader,
  { littleEndian }: TiffLayout,
  field: TiffField | undefined,
  index: number,
): Promise<number> {
  if (field === undefined || index >= field.count) return 0;
  return readUint(await reader.read(field.position + index * field.width, field.width), littleEndian);
}

/** The unsigned number, of up to 8 bytes, that all of `bytes` make. Inexact above 2^53, where no file reaches. */
function readUint(bytes: Uint8Array, littleEndian: boolean): number {
  let value = 0;
  for (let index = 0; index < bytes.length; index += 1) {
    value = value * 256 + (bytes[littleEndian ? bytes.length - 1 - index : index] ?? 0);
  }
  return value;
}
