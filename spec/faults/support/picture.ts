// Images that say who sent them in each of their bytes, so that no part of another one goes unnoticed.
import { assertPromise } from './assert-promise.js';

/** A grey TIFF without compression: cheap to make at any size, and every byte of its pixels is in the file as it is. */
export interface Picture {
  /** Everything before the pixels. */
  readonly head: Buffer;
  /** The number of bytes of pixels, a multiple of {@link BLOCK}. */
  readonly pixels: number;
  /** What the pixels repeat from first to last. */
  readonly block: Buffer;
}

const BLOCK = 32;
const SMALLEST_HEAD = 122;
const ENTRIES = 9;

/** A picture of about so many bytes; `seed` is a whole number that tells it from all others. */
export function picture(seed: number, bytes: number): Picture {
  const width = bytes < 65_536 ? 32 : bytes < 2 ** 25 ? 1024 : 8192;
  const height = Math.max(1, Math.round(bytes / width));
  const block = Buffer.from(seed.toString(16).padStart(BLOCK, '0'));
  return { head: headOf(width, height), pixels: width * height, block };
}

/** The whole file. */
export function bytesOf({ head, pixels, block }: Picture): Buffer {
  return Buffer.concat([head, Buffer.alloc(pixels, block)]);
}

/** The file in pieces, none of them new: a picture of a gigabyte takes the memory of one piece. */
export function* piecesOf({ head, pixels, block }: Picture): Generator<Buffer> {
  yield head;
  const piece = Buffer.alloc(65_536, block);
  for (let left = pixels; left > 0; left -= piece.length) yield piece.subarray(0, left);
}

/** The seed of a picture that was read back. A failure if it is not, to the last byte, what one sender sent. */
export function seedOf(bytes: Buffer): number {
  const torn = `an image of ${bytes.length} bytes is torn`;
  assertPromise(bytes.length > SMALLEST_HEAD, torn);
  const [width, height] = [bytes.readUInt32LE(18), bytes.readUInt32LE(30)];
  assertPromise(width >= BLOCK && width <= bytes.length && height > 0 && height <= bytes.length, torn);
  const head = headOf(width, height);
  assertPromise(bytes.subarray(0, head.length).equals(head), `${torn}: its head is not whole`);
  const pixels = bytes.subarray(head.length);
  assertPromise(pixels.length === width * height, `${torn}: ${width} × ${height} pixels are more, or fewer`);
  const block = pixels.subarray(0, BLOCK);
  assertPromise(
    pixels.equals(Buffer.alloc(pixels.length, block)),
    `${torn}: its pixels are not of one picture`,
  );
  return Number.parseInt(block.toString('latin1'), 16);
}

// TIFF 6.0: the header, one table of tags, then the offsets and the byte counts of the pieces, then the pixels.
function headOf(width: number, height: number): Buffer {
  const rows = Math.max(1, Math.floor(65_536 / width));
  const lengths = stripsOf(width, height, rows);
  const count = lengths.length;
  const tables = 8 + 2 + ENTRIES * 12 + 4;
  const head = tables + (count === 1 ? 0 : 8 * count);
  const long = (tag: number, value: number): number[] => [tag, 4, 1, value];
  const short = (tag: number, value: number): number[] => [tag, 3, 1, value];
  const table = (tag: number, at: number, only: number): number[] =>
    count === 1 ? long(tag, only) : [tag, 4, count, at];
  const tags = [
    ...[long(256, width), long(257, height), short(258, 8), short(259, 1), short(262, 1)],
    ...[table(273, tables, head), short(277, 1)],
    ...[long(278, rows), table(279, tables + 4 * count, lengths[0] ?? 0)],
  ];
  const bytes = Buffer.alloc(head);
  bytes.write('II*\0', 'latin1');
  bytes.writeUInt32LE(8, 4);
  bytes.writeUInt16LE(tags.length, 8);
  tags.forEach(([tag = 0, type = 0, values = 0, value = 0], index) => {
    const at = 10 + 12 * index;
    bytes.writeUInt16LE(tag, at);
    bytes.writeUInt16LE(type, at + 2);
    bytes.writeUInt32LE(values, at + 4);
    bytes.writeUInt32LE(value, at + 8);
  });
  if (count > 1) writeTables(bytes, tables, head, lengths);
  return bytes;
}

function writeTables(bytes: Buffer, tables: number, head: number, lengths: readonly number[]): void {
  let offset = head;
  lengths.forEach((length, index) => {
    bytes.writeUInt32LE(offset, tables + 4 * index);
    bytes.writeUInt32LE(length, tables + 4 * (lengths.length + index));
    offset += length;
  });
}

function stripsOf(width: number, height: number, rows: number): number[] {
  return Array.from(
    { length: Math.ceil(height / rows) },
    (_, strip) => Math.min(rows, height - strip * rows) * width,
  );
}
