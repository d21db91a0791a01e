// The directories of a TIFF: its pages one by one, and how their pixels are compressed.

/** Tag 259, "Compression". (TIFF 6.0 section 8.) */
const COMPRESSION = 259;

/** The positions of a page's directory and of its link to the next directory, in bytes. */
interface Directory {
  readonly at: number;
  readonly nextAt: number;
  readonly compression: number;
}

/** Reads numbers as the header of a TIFF says that they are written. (TIFF 6.0 section 2; BigTIFF has 64-bit ones.) */
class TiffReader {
  readonly #tiff: Buffer;
  readonly #littleEndian: boolean;
  /** Bytes of an offset: 4, or 8 in a BigTIFF. */
  readonly offsetBytes: number;

  constructor(tiff: Buffer) {
    this.#tiff = tiff;
    this.#littleEndian = tiff.readUInt8(0) === 0x49;
    this.offsetBytes = this.read(2, 2) === 43 ? 8 : 4;
  }

  /** An unsigned number of 2, 4 or 8 bytes. Throws RangeError where the bytes end. */
  read(at: number, bytes: number): number {
    if (bytes < 8)
      return this.#littleEndian ? this.#tiff.readUIntLE(at, bytes) : this.#tiff.readUIntBE(at, bytes);
    return Number(this.#littleEndian ? this.#tiff.readBigUInt64LE(at) : this.#tiff.readBigUInt64BE(at));
  }

  writeOffset(value: number, at: number): void {
    if (this.offsetBytes === 4) {
      if (this.#littleEndian) this.#tiff.writeUInt32LE(value, at);
      else this.#tiff.writeUInt32BE(value, at);
    } else if (this.#littleEndian) this.#tiff.writeBigUInt64LE(BigInt(value), at);
    else this.#tiff.writeBigUInt64BE(BigInt(value), at);
  }

  /** The position of the header's link to the first directory. */
  get firstAt(): number {
    return this.offsetBytes;
  }

  readDirectory(at: number): Directory {
    const [countBytes, entryBytes] = this.offsetBytes === 8 ? [8, 20] : [2, 12];
    const entries = this.read(at, countBytes);
    let compression = 1;
    for (let entry = 0; entry < entries; entry += 1) {
      const entryAt = at + countBytes + entry * entryBytes;
      // A SHORT, so its value is at the start of the entry's value field.
      if (this.read(entryAt, 2) === COMPRESSION)
        compression = this.read(entryAt + entryBytes - this.offsetBytes, 2);
    }
    return { at, nextAt: at + countBytes + entries * entryBytes, compression };
  }

  /** The directories in their order, no more than `max` of them. Throws RangeError where one is not in the file. */
  *directories(max: number): Generator<Directory> {
    let at = this.read(this.firstAt, this.offsetBytes);
    for (let index = 0; index < max && at !== 0; index += 1) {
      const directory = this.readDirectory(at);
      // Read first: the caller may write there.
      at = this.read(directory.nextAt, this.offsetBytes);
      yield directory;
    }
  }
}

/**
 * Shows a TIFF as if each page in turn were its only one. Libtiff reads all directories before a page to open that
 * page, so opening each page of the file itself takes time in proportion to the square of their number.
 *
 * @param tiff All bytes of the TIFF; they are written to, so they must belong to the caller.
 * @param count The required number of pages.
 * @returns The same buffer each time, valid until the next page is asked for.
 * @throws RangeError There are fewer pages, or a directory is not in the file.
 */
export function* separatePages(tiff: Buffer, count: number): Generator<Buffer> {
  const reader = new TiffReader(tiff);
  let pages = 0;
  for (const { at, nextAt } of reader.directories(count)) {
    const next = reader.read(nextAt, reader.offsetBytes);
    const first = reader.read(reader.firstAt, reader.offsetBytes);
    reader.writeOffset(0, nextAt);
    reader.writeOffset(at, reader.firstAt);
    yield tiff;
    reader.writeOffset(first, reader.firstAt);
    reader.writeOffset(next, nextAt);
    pages += 1;
  }
  if (pages < count) throw new RangeError(`${pages} of ${count} pages are in the chain of directories`);
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

/**
 * The first compression of a TIFF that sharp's prebuilt decoder does not have, by name or number.
 *
 * @param maxPages The maximum number of pages to read.
 */
export function findUnsupportedCompression(tiff: Buffer, maxPages: number): string | undefined {
  try {
    for (const { compression } of new TiffReader(tiff).directories(maxPages)) {
      if (!DECODED.has(compression)) return COMPRESSION_NAMES.get(compression) ?? `number ${compression}`;
    }
  } catch {
    // A directory that is not in the file: the image is damaged, however it is compressed.
  }
  return undefined;
}
