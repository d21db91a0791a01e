// The scans of a JPEG: are all coded blocks there? Their Huffman codes are followed without making pixels.
import { setImmediate } from 'node:timers/promises';
import { MemoryBytes, type ImageBytes } from '../../bytes/image-bytes.js';
import { ByteReader } from '../byte-reader.js';
import { broken, incomplete } from '../refusals.js';
import { CodeReader, readTables, type HuffmanTable } from './jpeg-codes.js';
import { DHT, DRI, readSegments, SOF0, SOF2, SOS } from './jpeg.js';

/** More bytes than this between the last code of a scan and the next marker are pixels in the wrong place, or padding. */
const MAX_SURPLUS_BYTES = 4;

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
export async function assertAllBlocks(bytes: ImageBytes, signal?: AbortSignal): Promise<void> {
  const jpeg = await bytes.buffer();
  const tables: HuffmanTable[] = [];
  let frame: Frame | undefined;
  let interval = 0;
  for await (const { code, start, end } of readSegments(new ByteReader(new MemoryBytes(jpeg), signal))) {
    const segment = jpeg.subarray(start, end);
    if (code === DHT) readTables(segment, tables);
    else if (code === DRI) interval = segment.readUInt16BE(0);
    else if (code === SOS) {
      if (frame === undefined) throw broken();
      const scan = new ScanWalk(segment, frame, tables, new CodeReader(jpeg, end));
      await scan.run(interval, signal);
    } else if (code >= SOF0 && code <= SOF2) frame ??= readFrame(segment, code === SOF2);
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
  // Without a block in a unit, a walk would have no end.
  if (sizes.some(({ h, v }) => h * v === 0)) throw broken();
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

/** One scan: which coefficients of which components, and the codes for them. */
class ScanWalk {
  readonly #codes: CodeReader;
  readonly #frame: Frame;
  /** The units: the blocks of the only component, or the MCUs. */
  readonly #grid: Component | Frame;
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
    const [only] = this.#parts;
    this.#grid = count === 1 && only !== undefined ? only.component : frame;
    const numbers = frame.isProgressive ? segment.subarray(1 + 2 * count) : Buffer.of(0, 63, 0);
    this.#first = numbers.readUInt8(0);
    this.#last = Math.min(63, numbers.readUInt8(1));
    if (count === 0 || this.#first > this.#last) throw broken();
    this.#isRefinement = numbers.readUInt8(2) >> 4 > 0;
  }

  /** @param interval The units between two restart markers, 0 for none. */
  async run(interval: number, signal?: AbortSignal): Promise<void> {
    const { across, down } = this.#grid;
    for (let unit = 0; unit < across * down; unit += 1) {
      if (interval > 0 && unit > 0 && unit % interval === 0) {
        this.#finish();
        this.#codes.restart((unit / interval - 1) % 8);
      }
      if (unit % across === 0) {
        await setImmediate();
        signal?.throwIfAborted();
      }
      this.#readUnit(unit);
    }
    this.#finish();
  }

  /** Ends the scan, or the part of it before a restart marker. */
  #finish(): void {
    const { bytesLeft, filling } = this.#codes;
    if (bytesLeft < 0) throw incomplete();
    if (this.#emptyBlocks > 0) throw broken();
    if (bytesLeft === 0) return;
    const areSurplus = bytesLeft > MAX_SURPLUS_BYTES ? this.#codes.arePadding : !this.#readsOn();
    if (filling < 0 || !areSurplus) throw broken();
  }

  /** Whether the bytes left are the codes of more units: then they are not surplus, but units are missing before them. */
  #readsOn(): boolean {
    // Each block has one bit, so none is missing.
    if (this.#isRefinement && this.#first === 0) return false;
    const { across, down } = this.#grid;
    try {
      // Behind the last unit and the rows that fill it up, so that no block changes.
      for (let unit = across * (down + 15); this.#codes.bytesLeft > 0; unit += 1) {
        // So that each block takes a bit.
        this.#emptyBlocks = 0;
        this.#readUnit(unit);
      }
      // Zeros often read on as well, but to the end of their last byte.
      return this.#codes.bytesLeft === 0 && this.#codes.filling > 0;
    } catch {
      return false;
    } finally {
      this.#emptyBlocks = 0;
    }
  }

  /** Reads a unit: one block of a scan's only component, or the blocks of an MCU. (T.81 A.2.2 and A.2.3.) */
  #readUnit(unit: number): void {
    const { across } = this.#grid;
    const [x, y] = [unit % across, Math.floor(unit / across)];
    for (const part of this.#parts) {
      const { h, v, stride } = part.component;
      if (this.#grid === part.component) this.#readBlock(part, y * stride + x);
      else {
        for (let block = 0; block < h * v; block += 1) {
          this.#readBlock(part, (y * v + Math.floor(block / h)) * stride + x * h + (block % h));
        }
      }
    }
  }

  #readBlock({ component, dc, ac }: Part, block: number): void {
    const codes = this.#codes;
    if (this.#first === 0) {
      codes.take(this.#isRefinement ? 1 : codes.symbol(dc));
      if (this.#frame.isProgressive) return;
    }
    this.#readCoefficients(component.known, 64 * block, ac);
  }

  /** The coefficients that become known, and one more bit of those that are. (T.81 F.2.2.2, G.1.2.2 and G.1.2.3.) */
  #readCoefficients(known: Uint8Array, block: number, table: HuffmanTable | undefined): void {
    const codes = this.#codes;
    let k = Math.max(1, this.#first);
    while (k <= this.#last && this.#emptyBlocks === 0) {
      const symbol = codes.symbol(table);
      const [zeros, bits] = [symbol >> 4, symbol & 15];
      if (bits === 0 && zeros < 15) {
        // No new ones in this block from here on, and none in so many others.
        this.#emptyBlocks = this.#frame.isProgressive ? (1 << zeros) + codes.take(zeros) : 1;
        break;
      }
      codes.take(bits);
      if (!this.#isRefinement) k += zeros;
      for (let skipped = 0; this.#isRefinement && k <= this.#last; k += 1) {
        if (has(known, block + k)) codes.take(1);
        else if (skipped === zeros) break;
        else skipped += 1;
      }
      if (k > this.#last && (bits > 0 || !this.#isRefinement)) throw broken();
      if (bits > 0) add(known, block + k);
      k += 1;
    }
    if (this.#emptyBlocks === 0) return;
    this.#emptyBlocks -= 1;
    if (!this.#isRefinement) return;
    for (; k <= this.#last; k += 1) if (has(known, block + k)) codes.take(1);
  }
}

function has(known: Uint8Array, coefficient: number): boolean {
  return ((known[coefficient >> 3] ?? 0) & (1 << (coefficient & 7))) !== 0;
}

function add(known: Uint8Array, coefficient: number): void {
  known[coefficient >> 3] = (known[coefficient >> 3] ?? 0) | (1 << (coefficient & 7));
}
