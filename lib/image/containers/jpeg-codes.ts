// The Huffman codes of a JPEG's scans, and the markers between them.
import { broken, incomplete } from '../refusals.js';
import { RST0 } from './jpeg.js';

/** For the next 16 bits of a scan: the length of the code at their start × 256 + its symbol. 0 is no code. */
export type HuffmanTable = Uint16Array;

/** Reads Huffman tables, those for DC as 0 to 3 and those for AC as 16 to 19. (T.81 B.2.4.2 and C.2.) */
export function readTables(segment: Buffer, tables: HuffmanTable[]): void {
  for (let at = 0; at + 17 <= segment.length;) {
    const table = new Uint16Array(1 << 16);
    let [next, symbolAt] = [0, at + 17];
    for (let length = 1; length <= 16; length += 1) {
      for (let count = segment.readUInt8(at + length); count > 0; count -= 1) {
        const end = next + (1 << (16 - length));
        table.fill((length << 8) | segment.readUInt8(symbolAt), next, end);
        next = end;
        symbolAt += 1;
      }
    }
    tables[segment.readUInt8(at)] = table;
    at = symbolAt;
  }
}

/** The tables of an image that has none, as a webcam sends it. (T.81 K.3; `std_huff_tables` of libjpeg.) */
export const STANDARD_TABLES = Buffer.from(
  'AAABBQEBAQEBAQAAAAAAAAAAAQIDBAUGBwgJCgsQAAIBAwMCBAMFBQQEAAABfQECAwAEEQUSITFBBhNRYQcicRQygZGhCCNCscEVUtHw' +
    'JDNicoIJChYXGBkaJSYnKCkqNDU2Nzg5OkNERUZHSElKU1RVVldYWVpjZGVmZ2hpanN0dXZ3eHl6g4SFhoeIiYqSk5SVlpeYmZqio6Sl' +
    'pqeoqaqys7S1tre4ubrCw8TFxsfIycrS09TV1tfY2drh4uPk5ebn6Onq8fLz9PX29/j5+gEAAwEBAQEBAQEBAQAAAAAAAAECAwQFBgcI' +
    'CQoLEQACAQIEBAMEBwUEBAABAncAAQIDEQQFITEGEkFRB2FxEyIygQgUQpGhscEJIzNS8BVictEKFiQ04SXxFxgZGiYnKCkqNTY3ODk6' +
    'Q0RFRkdISUpTVFVWV1hZWmNkZWZnaGlqc3R1dnd4eXqCg4SFhoeIiYqSk5SVlpeYmZqio6Slpqeoqaqys7S1tre4ubrCw8TFxsfIycrS' +
    '09TV1tfY2dri4+Tl5ufo6ery8/T19vf4+fo=',
  'base64',
);

/** The bits of a scan. (T.81 F.2.2.5.) */
export class CodeReader {
  readonly #jpeg: Buffer;
  #position: number;
  #bits = 0;
  #count = 0;
  /** The bits behind the last byte before a marker, which are made up. */
  #missing = 0;

  constructor(jpeg: Buffer, position: number) {
    this.#jpeg = jpeg;
    this.#position = position;
  }

  /** The next 16 bits. */
  #peek(): number {
    while (this.#count < 16) {
      let byte = this.#jpeg[this.#position] ?? 0;
      const isMarker = byte === 0xff && this.#jpeg[this.#position + 1] !== 0;
      if (isMarker || this.#position >= this.#jpeg.length) {
        byte = 0;
        this.#missing += 8;
        // Some made-up bits are never taken; these are, so a short file cannot ask for much work.
        if (this.#missing > 64) throw incomplete();
      } else this.#position += byte === 0xff ? 2 : 1;
      this.#bits = (this.#bits << 8) | byte;
      this.#count += 8;
    }
    return (this.#bits >>> (this.#count - 16)) & 0xffff;
  }

  take(count: number): number {
    const bits = this.#peek() >>> (16 - count);
    this.#count -= count;
    return bits;
  }

  symbol(table: HuffmanTable | undefined): number {
    const entry = table?.[this.#peek()] ?? 0;
    if (entry === 0) throw broken();
    this.#count -= entry >> 8;
    return entry & 0xff;
  }

  /** The position of the next marker. A stuffed zero is none, and fill bytes may come before it. (T.81 F.1.2.3.) */
  get #marker(): number {
    const jpeg = this.#jpeg;
    for (let at = jpeg.indexOf(0xff, this.#position); at !== -1; at = jpeg.indexOf(0xff, at + 1))
      if (jpeg[at + 1] !== 0 && jpeg[at + 1] !== 0xff) return at;
    throw incomplete();
  }

  /** The bytes between the last code and the next marker; negative where the last codes are made up. */
  get bytesLeft(): number {
    return ((this.#count - this.#missing) >> 3) + this.#marker - this.#position;
  }

  /** The ones that fill up the last byte of codes, 0 to 7; -1 where other bits do. */
  get filling(): number {
    const bits = this.#count - this.#missing;
    const ones = (1 << (bits & 7)) - 1;
    return ((this.#bits >>> (this.#missing + (bits & ~7))) & ones) === ones ? bits & 7 : -1;
  }

  /**
   * Whether the bytes left repeat one value that the last byte of the codes does not have. Zeros in the place of codes
   * begin among the codes that are read.
   */
  get arePadding(): boolean {
    const end = this.#marker;
    const start = end - this.bytesLeft;
    const value = this.#jpeg[start];
    // A stuffed zero may follow the last byte.
    const lastCode = this.#jpeg[start - 2] === 0xff ? 0xff : this.#jpeg[start - 1];
    return value !== lastCode && this.#jpeg.subarray(start, end).every((byte) => byte === value);
  }

  /**
   * Goes on behind the next marker, which must be restart marker `number`. libjpeg accepts one whose number is three to
   * five off, and takes a nearer one for a neighbour. (jpeg_resync_to_restart.)
   */
  restart(number: number): void {
    const marker = this.#marker;
    const found = (this.#jpeg[marker + 1] ?? 0) - RST0;
    if (found < 0 || found > 7 || [1, 2, 6, 7].includes((found - number) & 7)) throw broken();
    this.#position = marker + 2;
    [this.#count, this.#missing] = [0, 0];
  }
}
