// The scans of a JPEG: are all coded blocks there? Their Huffman codes are followed without making pixels.
import { setImmediate } from 'node:timers/promises';
import { broken, incomplete } from '../refusals.js';

/** More bytes than this between the last code of a progressive scan and the next marker are pixels in the wrong place. */
const MAX_SURPLUS_BYTES = 4;

const [DHT, RST0, EOI, SOS, DRI, SOF2] = [0xc4, 0xd0, 0xd9, 0xda, 0xdd, 0xc2];

/** For the next 16 bits of a scan: the length of the code at their start × 256 + its symbol. 0 is no code. */
type HuffmanTable = Uint16Array;

interface Component {
  readonly id: number;
  /** Its blocks across and down in one unit (MCU) of an interleaved scan. */
  readonly h: number;
  readonly v: number;
  /** Its blocks across and down in a scan of its own. */
  readonly across: number;
  readonly down: number;
  /** Its blocks across, those that fill the last unit included. */
  readonly stride: number;
  /** Which of a progressive one's coefficients are not 0 so far: 64 bits for each block. */
  readonly known: Uint8Array;
}

interface Frame {
  readonly isProgressive: boolean;
  /** The units (MCUs) of an interleaved scan. */
  readonly across: number;
  readonly down: number;
  readonly components: readonly Component[];
}

/** A component in a scan. */
interface Part {
  readonly component: Component;
  readonly dc: HuffmanTable | undefined;
  readonly ac: HuffmanTable | undefined;
}

/**
 * Follows the codes of all scans of a JPEG up to EOI. Whatever is odd about its segments, and the few bytes that some
 * encoders write between a scan and the next marker, is skipped. (ITU-T T.81 B.2, F.2.2 and G.2.)
 *
 * @throws SaveError or RangeError Codes are missing, are none, or are too many; or the coding is not Huffman's.
 */
export async function assertAllBlocks(jpeg: Buffer, signal?: AbortSignal): Promise<void> {
  const tables: HuffmanTable[] = [];
  let frame: Frame | undefined;
  let interval = 0;
  for (let at = 2; ;) {
    at = findMarker(jpeg, at);
    const code = jpeg.readUInt8(at + 1);
    if (code === EOI) break;
    if (code >= RST0 && code < EOI) {
      at += 2;
      continue;
    }
    const end = at + 2 + Math.max(2, jpeg.readUInt16BE(at + 2));
    const segment = jpeg.subarray(at + 4, end);
    at = end;
    if (code === DHT) readTables(segment, tables);
    else if (code === DRI) interval = segment.readUInt16BE(0);
    else if (code === SOS) {
      if (frame === undefined) throw broken();
      const scan = new ScanWalk(segment, frame, tables, new CodeReader(jpeg, at));
      at = await scan.run(interval, signal);
    } else if (code >= 0xc0 && code <= SOF2) frame ??= readFrame(segment, code === SOF2);
    else if (code > SOF2 && code <= 0xcf) throw broken();
  }
  if (frame === undefined) throw broken();
}

/** The position of the next marker. A stuffed zero is none, and fill bytes may come before it. (T.81 B.1.1.2, F.1.2.3.) */
function findMarker(jpeg: Buffer, from: number): number {
  for (let at = jpeg.indexOf(0xff, from); at !== -1; at = jpeg.indexOf(0xff, at + 1)) {
    if (jpeg[at + 1] !== 0 && jpeg[at + 1] !== 0xff) return at;
  }
  throw incomplete();
}

/** Reads Huffman tables, those for DC as 0 to 3 and those for AC as 16 to 19. (T.81 B.2.4.2 and C.2.) */
function readTables(segment: Buffer, tables: HuffmanTable[]): void {
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

/** Reads a frame header. (T.81 B.2.2 and A.1.1.) */
function readFrame(segment: Buffer, isProgressive: boolean): Frame {
  const [height, width] = [segment.readUInt16BE(1), segment.readUInt16BE(3)];
  const parts = Array.from({ length: segment.readUInt8(5) }, (_, index) => segment.subarray(6 + 3 * index));
  const sizes = parts.map((part) => ({
    id: part.readUInt8(0),
    h: part.readUInt8(1) >> 4,
    v: part.readUInt8(1) & 15,
  }));
  const maxH = Math.max(...sizes.map(({ h }) => h));
  const maxV = Math.max(...sizes.map(({ v }) => v));
  const [across, down] = [Math.ceil(width / (8 * maxH)), Math.ceil(height / (8 * maxV))];
  const components = sizes.map(({ id, h, v }) => ({
    id,
    h,
    v,
    across: Math.ceil(Math.ceil((width * h) / maxH) / 8),
    down: Math.ceil(Math.ceil((height * v) / maxV) / 8),
    stride: across * h,
    known: new Uint8Array(isProgressive ? across * h * down * v * 8 : 0),
  }));
  return { isProgressive, across, down, components };
}

/** The bits of a scan. (T.81 F.2.2.5.) */
class CodeReader {
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

  /**
   * Ends a scan, or the part of one before a restart marker.
   *
   * @param maxSurplus The bytes that may come between its last code and the next marker.
   * @returns The position of the next marker.
   */
  finish(maxSurplus: number): number {
    const bitsLeft = this.#count - this.#missing;
    if (bitsLeft < 0) throw incomplete();
    const marker = findMarker(this.#jpeg, this.#position);
    const surplus = (bitsLeft >> 3) + marker - this.#position;
    // Ones fill up the last byte of codes. Codes that go on behind the last block hardly look like that.
    const ones = (1 << (bitsLeft % 8)) - 1;
    const hasOnes = ((this.#bits >>> (this.#missing + (bitsLeft & ~7))) & ones) === ones;
    if (surplus > 0 && (surplus > maxSurplus || !hasOnes)) throw broken();
    return marker;
  }

  /** Goes on behind the next marker, which must be this one. */
  restart(code: number): void {
    const marker = this.finish(0);
    if (this.#jpeg[marker + 1] !== code) throw broken();
    this.#position = marker + 2;
    [this.#count, this.#missing] = [0, 0];
  }
}

/** One scan: which coefficients of which components, and the codes for them. */
class ScanWalk {
  readonly #codes: CodeReader;
  readonly #frame: Frame;
  readonly #parts: readonly Part[];
  readonly #first: number;
  readonly #last: number;
  readonly #isRefinement: boolean;
  /** Blocks to come without new coefficients. */
  #emptyBlocks = 0;

  /** Reads a scan header. A baseline one's numbers say nothing, and some cameras write wrong ones. (T.81 B.2.3.) */
  constructor(segment: Buffer, frame: Frame, tables: readonly HuffmanTable[], codes: CodeReader) {
    const count = segment.readUInt8(0);
    this.#codes = codes;
    this.#frame = frame;
    this.#parts = Array.from({ length: count }, (_, index) => {
      const component = frame.components.find(({ id }) => id === segment.readUInt8(1 + 2 * index));
      if (component === undefined) throw broken();
      const numbers = segment.readUInt8(2 + 2 * index);
      return { component, dc: tables[numbers >> 4], ac: tables[16 + (numbers & 15)] };
    });
    const numbers = segment.subarray(1 + 2 * count);
    this.#first = frame.isProgressive ? numbers.readUInt8(0) : 0;
    this.#last = frame.isProgressive ? Math.min(63, numbers.readUInt8(1)) : 63;
    this.#isRefinement = frame.isProgressive && numbers.readUInt8(2) >> 4 > 0;
  }

  /**
   * @param interval The units between two restart markers, 0 for none.
   * @returns The position of the marker behind the scan.
   */
  async run(interval: number, signal?: AbortSignal): Promise<number> {
    const [only] = this.#parts;
    const isAlone = this.#parts.length === 1 && only !== undefined;
    const { across, down } = isAlone ? only.component : this.#frame;
    for (let unit = 0; unit < across * down; unit += 1) {
      if (interval > 0 && unit > 0 && unit % interval === 0) this.#restart(unit / interval);
      const [x, y] = [unit % across, Math.floor(unit / across)];
      if (x === 0) {
        await setImmediate();
        signal?.throwIfAborted();
      }
      if (isAlone) this.#readBlock(only, y * only.component.stride + x);
      else this.#readUnit(x, y);
    }
    // In a baseline image, bytes behind the only scan cause no warning, so they are not why this is read.
    return this.#codes.finish(this.#frame.isProgressive ? MAX_SURPLUS_BYTES : 0);
  }

  #restart(count: number): void {
    this.#codes.restart(RST0 + ((count - 1) % 8));
    this.#emptyBlocks = 0;
  }

  /** Reads the blocks of one unit of an interleaved scan. (T.81 A.2.3.) */
  #readUnit(x: number, y: number): void {
    for (const part of this.#parts) {
      const { h, v, stride } = part.component;
      for (let block = 0; block < h * v; block += 1) {
        this.#readBlock(part, (y * v + Math.floor(block / h)) * stride + x * h + (block % h));
      }
    }
  }

  #readBlock({ component, dc, ac }: Part, block: number): void {
    const codes = this.#codes;
    if (this.#first === 0) {
      codes.take(this.#isRefinement ? 1 : codes.symbol(dc));
      if (this.#frame.isProgressive) return;
    }
    if (this.#isRefinement) this.#refine(component.known, 64 * block, ac);
    else this.#readCoefficients(component.known, 64 * block, ac);
  }

  /** Coefficients that no scan has had yet. (T.81 F.2.2.2 and G.1.2.2.) */
  #readCoefficients(known: Uint8Array, block: number, table: HuffmanTable | undefined): void {
    if (this.#emptyBlocks > 0) {
      this.#emptyBlocks -= 1;
      return;
    }
    for (let k = Math.max(1, this.#first); k <= this.#last; k += 1) {
      const [zeros, bits] = this.#readRun(table);
      if (bits === 0 && zeros < 15) {
        this.#emptyBlocks = this.#readEmptyBlocks(zeros) - 1;
        return;
      }
      this.#codes.take(bits);
      k += zeros;
      if (k > this.#last) throw broken();
      if (bits > 0) add(known, block + k);
    }
  }

  /** One more bit of each known coefficient, and coefficients that become known. (T.81 G.1.2.3.) */
  #refine(known: Uint8Array, block: number, table: HuffmanTable | undefined): void {
    const codes = this.#codes;
    let k = this.#first;
    while (k <= this.#last && this.#emptyBlocks === 0) {
      const [zeros, bits] = this.#readRun(table);
      if (bits === 0 && zeros < 15) {
        this.#emptyBlocks = this.#readEmptyBlocks(zeros);
        break;
      }
      codes.take(bits);
      for (let skipped = 0; k <= this.#last; k += 1) {
        if (has(known, block + k)) codes.take(1);
        else if (skipped === zeros) break;
        else skipped += 1;
      }
      if (bits > 0 && k > this.#last) throw broken();
      if (bits > 0) add(known, block + k);
      k += 1;
    }
    if (this.#emptyBlocks === 0) return;
    for (; k <= this.#last; k += 1) if (has(known, block + k)) codes.take(1);
    this.#emptyBlocks -= 1;
  }

  /** A number of zeros, and the number of bits of the coefficient behind them. */
  #readRun(table: HuffmanTable | undefined): [zeros: number, bits: number] {
    const symbol = this.#codes.symbol(table);
    return [symbol >> 4, symbol & 15];
  }

  /** The blocks that have no new coefficients from here on, this one included. (T.81 G.1.2.2.) */
  #readEmptyBlocks(bits: number): number {
    return this.#frame.isProgressive ? (1 << bits) + this.#codes.take(bits) : 1;
  }
}

function has(known: Uint8Array, coefficient: number): boolean {
  return ((known[coefficient >> 3] ?? 0) & (1 << (coefficient & 7))) !== 0;
}

function add(known: Uint8Array, coefficient: number): void {
  known[coefficient >> 3] = (known[coefficient >> 3] ?? 0) | (1 << (coefficient & 7));
}
