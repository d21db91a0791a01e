// The scans of a JPEG: are all coded blocks there? Their Huffman codes are followed without making pixels.
import { setImmediate } from 'node:timers/promises';
import { MemoryBytes, type ImageBytes } from '../../bytes/image-bytes.js';
import { ByteReader } from '../byte-reader.js';
import { broken, incomplete } from '../refusals.js';
import { CodeReader, readTables, STANDARD_TABLES, type HuffmanTable } from './jpeg-codes.js';
import { DHT, DRI, isFrame, readFrame, readScan, readSegments, SOS, type Frame } from './jpeg.js';

/** More bytes than this between the last code of a scan and the next marker are pixels in the wrong place, or padding. */
const MAX_SURPLUS_BYTES = 4;

/**
 * Follows the codes of all scans of a JPEG up to EOI. Whatever is odd about its segments, and the few bytes that some
 * encoders write between a scan and the next marker, is skipped. (ITU-T T.81 B.2, F.2.2 and G.2.)
 *
 * @param mayHaveMore Whether other bytes may follow the last code of a scan, as the decoder of a baseline one allows.
 * @throws SaveError or RangeError Codes are missing, are none, or are too many; or the coding is not Huffman's.
 */
export async function assertAllBlocks(
  bytes: ImageBytes,
  { signal, mayHaveMore = false }: { signal?: AbortSignal | undefined; mayHaveMore?: boolean } = {},
): Promise<void> {
  const jpeg = await bytes.buffer();
  const tables: HuffmanTable[] = [];
  readTables(STANDARD_TABLES, tables);
  let frame: ReturnType<typeof layOut> | undefined;
  let interval = 0;
  for await (const { code, start, end } of readSegments(new ByteReader(new MemoryBytes(jpeg), signal))) {
    const segment = jpeg.subarray(start, end);
    if (code === DHT) readTables(segment, tables);
    else if (code === DRI) interval = segment.readUInt16BE(0);
    else if (isFrame(code)) frame ??= layOut(readFrame(code, segment));
    else if (code === SOS) {
      if (frame === undefined) throw broken();
      const scan = openScan(frame, segment, tables, new CodeReader(jpeg, end));
      await followScan(scan, interval, signal);
      finish(scan, mayHaveMore);
    }
  }
}

/** Computes where the blocks of a frame are. (T.81 A.1.1, A.2.2 and A.2.3.) */
function layOut(frame: Frame) {
  const { width, height, isProgressive, components } = frame;
  // Without a block in a unit, a walk would have no end.
  if (components.some(({ h, v }) => h * v === 0)) throw broken();
  const maxH = Math.max(...components.map(({ h }) => h));
  const maxV = Math.max(...components.map(({ v }) => v));
  // The units (MCUs) of an interleaved scan.
  const [across, down] = [Math.ceil(width / (8 * maxH)), Math.ceil(height / (8 * maxV))];
  const planes = components.map((component) => ({
    ...component,
    /** Its blocks across and down in a scan of its own. */
    across: Math.ceil(Math.ceil((width * component.h) / maxH) / 8),
    down: Math.ceil(Math.ceil((height * component.v) / maxV) / 8),
    /** Its blocks across, those that fill the last unit included. */
    stride: across * component.h,
    /** Which of a progressive one's coefficients are not 0 so far: 64 bits for each block. */
    known: new Uint8Array(isProgressive ? across * component.h * down * component.v * 8 : 0),
  }));
  return { ...frame, across, down, components: planes };
}

/** One scan: which coefficients of which components, and the codes for them. */
function openScan(
  frame: ReturnType<typeof layOut>,
  header: Buffer,
  tables: readonly HuffmanTable[],
  codes: CodeReader,
) {
  const { parts, first, last, high } = readScan(frame, header);
  const isAlone = parts.length === 1;
  const planes = parts.map(({ component: plane, tables: numbers }) => {
    if (plane === undefined) throw broken();
    // The units of a scan of one component are its blocks.
    const { h, v } = isAlone ? { h: 1, v: 1 } : plane;
    return { ...plane, h, v, dc: tables[numbers >> 4], ac: tables[16 + (numbers & 15)] };
  });
  const [only] = planes;
  if (only === undefined || first > Math.min(63, last)) throw broken();
  const { across, down } = isAlone ? only : frame;
  return {
    codes,
    isProgressive: frame.isProgressive,
    across,
    down,
    planes,
    first,
    last: Math.min(63, last),
    isRefinement: high > 0,
    /** Blocks to come without new coefficients. */
    emptyBlocks: 0,
  };
}

type Scan = ReturnType<typeof openScan>;

/** @param interval The units between two restart markers, 0 for none. */
async function followScan(scan: Scan, interval: number, signal?: AbortSignal): Promise<void> {
  const { codes, across, down } = scan;
  for (let unit = 0; unit < across * down; unit += 1) {
    if (interval > 0 && unit > 0 && unit % interval === 0) {
      finish(scan);
      codes.restart((unit / interval - 1) % 8);
    }
    if (unit % across === 0) {
      await setImmediate();
      signal?.throwIfAborted();
    }
    readUnit(scan, unit);
  }
}

/** Ends a scan, or the part of it before a restart marker. */
function finish(scan: Scan, mayHaveMore = false): void {
  const { codes } = scan;
  const { bytesLeft, filling } = codes;
  if (bytesLeft < 0) throw incomplete();
  if (scan.emptyBlocks > 0) throw broken();
  if (bytesLeft === 0 || mayHaveMore) return;
  const areSurplus = bytesLeft > MAX_SURPLUS_BYTES ? codes.arePadding : !readsOn(scan);
  if (filling < 0 || !areSurplus) throw broken();
}

/** Whether the bytes left are the codes of more units. Then as many units are missing before them. */
function readsOn(scan: Scan): boolean {
  const { codes, across, down } = scan;
  // Each block has one bit, so none is missing.
  if (scan.isRefinement && scan.first === 0) return false;
  try {
    // Behind the last unit and the rows that fill it up, so that no block changes.
    for (let unit = across * (down + 15); codes.bytesLeft > 0; unit += 1) {
      // So that each block takes a bit.
      scan.emptyBlocks = 0;
      readUnit(scan, unit);
    }
    // Zeros often read on as well, but to the end of their last byte.
    return codes.bytesLeft === 0 && codes.filling > 0;
  } catch {
    return false;
  } finally {
    scan.emptyBlocks = 0;
  }
}

function readUnit(scan: Scan, unit: number): void {
  const { codes, isProgressive, across, planes, first, isRefinement } = scan;
  const [x, y] = [unit % across, Math.floor(unit / across)];
  for (const { h, v, stride, known, dc, ac } of planes) {
    for (let block = 0; block < h * v; block += 1) {
      if (first === 0) codes.take(isRefinement ? 1 : codes.symbol(dc));
      if (first > 0 || !isProgressive) {
        const index = (y * v + Math.floor(block / h)) * stride + x * h + (block % h);
        readCoefficients(scan, known, 64 * index, ac);
      }
    }
  }
}

/** The coefficients that become known, and one more bit of those that are. (T.81 F.2.2.2, G.1.2.2 and G.1.2.3.) */
function readCoefficients(scan: Scan, known: Uint8Array, base: number, table?: HuffmanTable): void {
  const { codes, isProgressive, last, isRefinement } = scan;
  let k = Math.max(1, scan.first);
  while (k <= last && scan.emptyBlocks === 0) {
    const symbol = codes.symbol(table);
    const [zeros, bits] = [symbol >> 4, symbol & 15];
    if (bits === 0 && zeros < 15) {
      // No new ones in this block from here on, and none in so many others.
      scan.emptyBlocks = isProgressive ? (1 << zeros) + codes.take(zeros) : 1;
      break;
    }
    codes.take(bits);
    if (!isRefinement) k += zeros;
    for (let skipped = 0; isRefinement && k <= last; k += 1) {
      if (has(known, base + k)) codes.take(1);
      else if (skipped === zeros) break;
      else skipped += 1;
    }
    if (k > last && (bits > 0 || !isRefinement)) throw broken();
    if (bits > 0) add(known, base + k);
    k += 1;
  }
  if (scan.emptyBlocks === 0) return;
  scan.emptyBlocks -= 1;
  if (!isRefinement) return;
  for (; k <= last; k += 1) if (has(known, base + k)) codes.take(1);
}

function has(known: Uint8Array, coefficient: number): boolean {
  return ((known[coefficient >> 3] ?? 0) & (1 << (coefficient & 7))) !== 0;
}

function add(known: Uint8Array, coefficient: number): void {
  known[coefficient >> 3] = (known[coefficient >> 3] ?? 0) | (1 << (coefficient & 7));
}
