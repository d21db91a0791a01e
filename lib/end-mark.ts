// Is an image there up to its format's end mark? One walk per format over bytes in memory or in an open file.
import { setImmediate } from 'node:timers/promises';
import { SaveError } from './errors.js';
import type { ImageFormat } from './formats.js';
import type { ImageBytes } from './image.js';
import { Pages, incomplete } from './pages.js';

function broken(): SaveError {
  return new SaveError('broken-image', 'The image is damaged. Render it again.');
}

/**
 * Walks an image of a known format to its end mark. Bytes behind that are nobody's business. Takes time in
 * proportion to the length, whatever the sizes in the image say, and memory for one page.
 *
 * @throws SaveError `incomplete-image` when the bytes end too early, `broken-image` when they make no sense.
 */
export async function findEndMark(format: ImageFormat, bytes: ImageBytes): Promise<void> {
  await WALKS[format](new Pages(bytes));
}

/** Whether any page of a TIFF is stored in tiles. Reads the tables of tags only, as far as they go. */
export async function isTiledTiff(bytes: ImageBytes): Promise<boolean> {
  const pages = new Pages(bytes);
  let tiled = false;
  try {
    for await (const ifd of ifdsOf(pages, await tiffLayoutOf(pages))) {
      tiled ||= ifd.fields.has(TILE_OFFSETS);
    }
  } catch (error) {
    if (!(error instanceof SaveError)) throw error;
  }
  return tiled;
}

const WALKS: Readonly<Record<ImageFormat, (pages: Pages) => Promise<void>>> = {
  jpeg: walkJpeg,
  png: walkPng,
  gif: walkGif,
  webp: walkWebp,
  avif: walkAvif,
  tiff: walkTiff,
};

// ITU-T T.81 B.1.1: segments with a length, and between them (after a start of scan) entropy-coded bytes, in
// which 0xff is followed by 0 or a restart marker. Any other marker ends them, so one rule serves for both.
async function walkJpeg(pages: Pages): Promise<void> {
  const SOI = 0xd8;
  const EOI = 0xd9;
  let at = 2;
  for (;;) {
    let index = pages.find(at, 2);
    if (index === -1) index = await pages.turn(at, 2);
    const { page } = pages;
    const prefix = page.indexOf(0xff, index);
    at += (prefix === -1 ? page.length : prefix) - index;
    if (prefix === -1) continue;
    const code = page[prefix + 1];
    if (code === undefined) {
      // The page ends between the two bytes of a marker; the next one begins with it.
    } else if (code === EOI) {
      return;
    } else if (code === 0xff) {
      // A fill byte, T.81 B.1.1.2: the marker comes later.
      at += 1;
    } else if (code <= 0x01 || (code >= 0xd0 && code <= SOI)) {
      // Stuffing, TEM, RSTn and SOI stand alone.
      at += 2;
    } else {
      at += 2;
      let size = pages.find(at, 2);
      if (size === -1) size = await pages.turn(at, 2);
      at += Math.max(2, pages.page.readUInt16BE(size));
    }
  }
}

// PNG 5.3: length, type, data, checksum; 11.2.5: IEND is the last chunk.
async function walkPng(pages: Pages): Promise<void> {
  for (let at = 8; ;) {
    const head = await pages.read(at, 8);
    const length = head.readUInt32BE(0);
    const type = head.toString('latin1', 4);
    if (!/^[a-zA-Z]{4}$/.test(type) || length > 0x7fffffff) throw broken();
    at += 12 + length;
    if (type === 'IEND') {
      if (at > pages.length) throw incomplete();
      return;
    }
  }
}

// GIF89a appendix B: a header, then images and extensions, each of which ends in a list of sub-blocks.
async function walkGif(pages: Pages): Promise<void> {
  const IMAGE = 0x2c;
  const EXTENSION = 0x21;
  const TRAILER = 0x3b;
  const screen = await pages.read(0, 13);
  let at = 13 + colourTableLength(screen.readUInt8(10));
  for (;;) {
    const introducer = (await pages.read(at, 1)).readUInt8(0);
    if (introducer === TRAILER) return;
    if (introducer === IMAGE) {
      const image = await pages.read(at, 10);
      at = await skipSubBlocks(pages, at + 10 + colourTableLength(image.readUInt8(9)) + 1);
    } else if (introducer === EXTENSION) {
      at = await skipSubBlocks(pages, at + 2);
    } else if (introducer === 0) {
      // A stray terminator, which some encoders write and every decoder passes over.
      at += 1;
    } else {
      throw broken();
    }
  }
}

function colourTableLength(packed: number): number {
  return packed & 0x80 ? 3 * 2 ** ((packed & 0x07) + 1) : 0;
}

/** GIF89a 15 and 16: each sub-block begins with its length, an empty one ends the list. */
async function skipSubBlocks(pages: Pages, from: number): Promise<number> {
  let at = from;
  for (;;) {
    let index = pages.find(at, 1);
    if (index === -1) index = await pages.turn(at, 1);
    const { page, start } = pages;
    for (let length = page[index]; length !== undefined; length = page[index]) {
      index += 1 + length;
      if (length === 0) return start + index;
    }
    at = start + index;
  }
}

// RFC 9649 2.3 and 2.4: a RIFF chunk as long as it says, with chunks inside that fit, padded to even lengths.
async function walkWebp(pages: Pages): Promise<void> {
  const end = 8 + (await pages.read(0, 12)).readUInt32LE(4);
  if (end > pages.length) throw incomplete();
  let at = 12;
  while (at + 8 <= end) {
    const length = (await pages.read(at, 8)).readUInt32LE(4);
    if (at + 8 + length > end) throw broken();
    at += 8 + length + (length % 2);
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
  readonly open: boolean;
}

// ISO/IEC 14496-12 4.2: every box has its size; 8.11.3: the item locations say where the coded pixels are, and
// the chunk offsets (8.7.5) where those of a sequence are. Together they show a cut also between two boxes.
async function walkAvif(pages: Pages): Promise<void> {
  const seen = new Set<string>();
  let open = false;
  for (let at = 0; at + 8 <= pages.length;) {
    const box = await boxAt(pages, at);
    if (box.end > pages.length) {
      if (!TOP_BOXES.test(box.type) && seen.has('meta')) break;
      throw incomplete();
    }
    seen.add(box.type);
    open ||= box.open && box.type === 'mdat';
    if (box.type === 'iloc') await checkItemLocations(pages, box);
    if (box.type === 'stco' || box.type === 'co64') await checkChunkOffsets(pages, box);
    at = CONTAINERS.has(box.type) ? box.body + (box.type === 'meta' ? 4 : 0) : box.end;
  }
  if (!seen.has('iloc') && !seen.has('moov')) throw incomplete();
  // Nothing in the file says where the frames of a sequence end if the box around them does not.
  if (seen.has('moov') && open) throw incomplete();
}

async function boxAt(pages: Pages, at: number): Promise<Box> {
  const head = await pages.read(at, 8);
  const type = head.toString('latin1', 4);
  const size = head.readUInt32BE(0);
  if (size === 0) return { type, body: at + 8, end: pages.length, open: true };
  if (size === 1) {
    if (at + 16 > pages.length) throw incomplete();
    return checkedBox(type, at, 16, Number((await pages.read(at + 8, 8)).readBigUInt64BE(0)));
  }
  return checkedBox(type, at, 8, size);
}

function checkedBox(type: string, at: number, head: number, size: number): Box {
  if (size < head) throw broken();
  return { type, body: at + head, end: at + size, open: false };
}

/** Reads numbers of given widths (0 to 8 bytes, big-endian) one after the other. */
class Numbers {
  readonly #pages: Pages;
  at: number;

  constructor(pages: Pages, at: number) {
    this.#pages = pages;
    this.at = at;
  }

  async next(width: number): Promise<number> {
    const bytes = await this.#pages.read(this.at, width);
    this.at += width;
    return unsigned(bytes, false);
  }
}

// ISO/IEC 14496-12 8.11.3.2
async function checkItemLocations(pages: Pages, box: Box): Promise<void> {
  const numbers = new Numbers(pages, box.body);
  const version = await numbers.next(1);
  numbers.at += 3;
  const sizes = await numbers.next(2);
  const [offsetSize, lengthSize, baseSize] = [sizes >> 12, (sizes >> 8) & 15, (sizes >> 4) & 15];
  const indexSize = version > 0 ? sizes & 15 : 0;
  const idSize = version < 2 ? 2 : 4;
  const items = await numbers.next(idSize);
  for (let item = 0; item < items && numbers.at < box.end; item += 1) {
    numbers.at += idSize;
    const method = version > 0 ? (await numbers.next(2)) & 15 : 0;
    numbers.at += 2;
    const base = await numbers.next(baseSize);
    const extents = await numbers.next(2);
    // Extents without any bytes of their own are all the same.
    const distinct = indexSize + offsetSize + lengthSize === 0 ? Math.min(1, extents) : extents;
    for (let extent = 0; extent < distinct && numbers.at < box.end; extent += 1) {
      numbers.at += indexSize;
      const offset = base + (await numbers.next(offsetSize));
      const length = await numbers.next(lengthSize);
      // Methods 1 and 2 point into the `meta` box, which is there.
      if (method === 0 && offset + Math.max(1, length) > pages.length) throw incomplete();
    }
  }
}

async function checkChunkOffsets(pages: Pages, box: Box): Promise<void> {
  const numbers = new Numbers(pages, box.body + 4);
  const width = box.type === 'co64' ? 8 : 4;
  const chunks = await numbers.next(4);
  for (let chunk = 0; chunk < chunks && numbers.at < box.end; chunk += 1) {
    if ((await numbers.next(width)) >= pages.length) throw incomplete();
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
  readonly at: number;
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
async function walkTiff(pages: Pages): Promise<void> {
  const layout = await tiffLayoutOf(pages);
  // Two lists are read side by side, each from its own page.
  const others = pages.twin();
  // Lists that share their bytes could keep us busy forever; such that do not are shorter than the file.
  let left = pages.length;
  for await (const { fields } of ifdsOf(pages, layout)) {
    for (const [offsetsTag, countsTag] of OFFSETS_AND_COUNTS) {
      const offsets = fields.get(offsetsTag);
      const counts = fields.get(countsTag);
      if (offsets === undefined) continue;
      left -= offsets.count * offsets.width;
      if (left < 0) throw broken();
      for (let index = 0; index < offsets.count; index += 1) {
        const offset = await valueOf(pages, layout, offsets, index);
        const count = counts === undefined ? 0 : await valueOf(others, layout, counts, index);
        if (offset + count > pages.length) throw incomplete();
      }
    }
  }
}

async function tiffLayoutOf(pages: Pages): Promise<TiffLayout> {
  const littleEndian = (await pages.read(0, 8)).readUInt8(0) === 0x49;
  const version = unsigned(await pages.read(2, 2), littleEndian);
  const big = version === 43;
  const first = unsigned(await pages.read(big ? 8 : 4, big ? 8 : 4), littleEndian);
  return { littleEndian, big, first };
}

/** Every table of the chain, and those that its tables' SubIFDs tags (TIFF technical note 1) name. */
async function* ifdsOf(pages: Pages, layout: TiffLayout): AsyncGenerator<Ifd> {
  // Tables that lie on top of each other are longer than the file together, those in a circle even endless. A
  // circle passes the place where we stopped to look last; looking rarer and rarer finds circles of any size.
  let left = pages.length;
  let landmark = -1;
  let count = 0;
  const read = async (at: number): Promise<Ifd> => {
    await setImmediate();
    const ifd = await ifdAt(pages, layout, at);
    left -= ifd.length;
    if (left < 0) throw broken();
    return ifd;
  };
  for (let at = layout.first; at !== 0;) {
    if (at === landmark) throw broken();
    count += 1;
    if ((count & (count - 1)) === 0) landmark = at;
    const ifd = await read(at);
    yield ifd;
    const children = ifd.fields.get(SUB_IFDS);
    for (let index = 0; index < (children?.count ?? 0); index += 1) {
      yield await read(await valueOf(pages, layout, children, index));
    }
    at = ifd.next;
  }
}

async function ifdAt(pages: Pages, { littleEndian, big }: TiffLayout, from: number): Promise<Ifd> {
  // The widths of the number of entries, of the head of an entry, and of the offset that may be its value.
  const [countWidth, offsetWidth] = big ? [8, 8] : [2, 4];
  const entryLength = 4 + 2 * offsetWidth;
  const entries = unsigned(await pages.read(from, countWidth), littleEndian);
  // A tag is a 16-bit number and stands there once.
  if (entries > 0xffff) throw broken();
  const fields = new Map<number, TiffField>();
  let at = from + countWidth;
  for (let entry = 0; entry < entries; entry += 1, at += entryLength) {
    const bytes = await pages.read(at, entryLength);
    const tag = unsigned(bytes.subarray(0, 2), littleEndian);
    const width = TYPE_LENGTHS[unsigned(bytes.subarray(2, 4), littleEndian)] ?? 0;
    const count = unsigned(bytes.subarray(4, 4 + offsetWidth), littleEndian);
    const value = bytes.subarray(4 + offsetWidth);
    const inline = count * width <= offsetWidth;
    const field = { at: inline ? at + 4 + offsetWidth : unsigned(value, littleEndian), count, width };
    if (field.at + count * width > pages.length) throw incomplete();
    if (POINTERS.has(tag)) fields.set(tag, field);
  }
  const next = unsigned(await pages.read(at, offsetWidth), littleEndian);
  return { fields, length: at + offsetWidth - from, next };
}

async function valueOf(
  pages: Pages,
  { littleEndian }: TiffLayout,
  field: TiffField | undefined,
  index: number,
): Promise<number> {
  if (field === undefined || index >= field.count) return 0;
  return unsigned(await pages.read(field.at + index * field.width, field.width), littleEndian);
}

/** The unsigned number, of up to 8 bytes, that all of `bytes` make. Inexact above 2^53, where no file reaches. */
function unsigned(bytes: Uint8Array, littleEndian: boolean): number {
  let value = 0;
  for (let index = 0; index < bytes.length; index += 1) {
    value = value * 256 + (bytes[littleEndian ? bytes.length - 1 - index : index] ?? 0);
  }
  return value;
}
