// JPEG: marker segments up to the end-of-image marker, and the headers of its frame and scans.
import { readUint, type ByteReader } from '../byte-reader.js';
import { broken, incomplete, unsupported } from '../refusals.js';
import type { PlainHeader } from '../types.js';

/** Markers. (ITU-T T.81 table B.1.) */
export const [SOF0, SOF2, DHT, RST0, SOS, DRI] = [0xc0, 0xc2, 0xc4, 0xd0, 0xda, 0xdd] as const;
const [SOI, EOI, DQT, APP0, APP15, COM] = [0xd8, 0xd9, 0xdb, 0xe0, 0xef, 0xfe] as const;

/** Frames that no browser decodes. The decoder of arithmetic coding takes missing bytes for zeros and says nothing. */
const UNSUPPORTED: ReadonlyMap<number, string> = new Map([
  [0xc3, 'lossless JPEG'],
  [0xc9, 'JPEG with arithmetic coding'],
  [0xca, 'JPEG with arithmetic coding'],
  [0xf7, 'JPEG-LS'],
]);

/** A frame header of ten components, the maximum of decoders; a scan header has fewer. */
const MAX_HEADER_BYTES = 6 + 3 * 10;

export const isFrame = (code: number): boolean => code >= SOF0 && code <= SOF2;

/** Segments that say nothing of the size: tables, those of applications, comments. */
const isSkippable = (code: number): boolean =>
  [DHT, DQT, DRI, COM].includes(code as typeof DHT) || (code >= APP0 && code <= APP15);

interface Segment {
  /** The second byte of its marker. */
  readonly code: number;
  /** The positions of its first parameter and behind its last one. */
  readonly start: number;
  readonly end: number;
  /** Whether it follows the segment before, or only fill bytes are between them. */
  readonly isNext: boolean;
}

/**
 * Finds the segments up to EOI as libjpeg does. (ITU-T T.81 B.1.1.)
 *
 * Entropy-coded bytes follow a start of scan. In them, 0xff is followed by 0 or by a restart marker, and any other
 * marker ends them. So the search for the next marker skips them too, and whatever else is between two segments.
 */
export async function* readSegments(reader: ByteReader): AsyncGenerator<Segment> {
  let isNext = true;
  for (let position = 2; ;) {
    let index = reader.indexInWindow(position, 2);
    if (index === -1) index = await reader.loadWindow(position, 2);
    const { window } = reader;
    const prefix = window.indexOf(0xff, index);
    position += (prefix === -1 ? window.length : prefix) - index;
    isNext &&= prefix === index;
    if (prefix === -1) continue;
    const code = window[prefix + 1];
    if (code === undefined) {
      // The window ends between the two bytes of a marker; the next window begins with that marker.
    } else if (code === EOI) {
      return;
    } else if (code === 0xff) {
      // A fill byte, T.81 B.1.1.2: the marker's code comes later.
      position += 1;
    } else if (code <= 0x01 || (code >= RST0 && code <= SOI)) {
      // A stuffed zero, TEM, RSTn and SOI have no length.
      position += 2;
      isNext = false;
    } else {
      const start = position + 4;
      position += 2 + Math.max(2, await reader.uint(position + 2, 2));
      yield { code, start, end: position, isNext };
      isNext = true;
    }
  }
}

/** One colour of a frame. */
interface Component {
  readonly id: number | undefined;
  /** Its blocks across and down in one unit (MCU) of an interleaved scan. */
  readonly h: number;
  readonly v: number;
  /** How many low bits of each of its 64 coefficients have not come yet, {@link ALL} at first. */
  readonly missing: Uint8Array;
}

export interface Frame<Part = Component> extends PlainHeader {
  readonly components: readonly Part[];
}

/** No bit of a coefficient has come yet. */
const ALL = 255;

/** Reads a frame header, which may be cut. (ITU-T T.81 B.2.2.) */
export function readFrame(code: number, header: Buffer): Frame {
  const [height, width] = [readUint(header.subarray(1, 3)), readUint(header.subarray(3, 5))];
  const components = Array.from({ length: header[5] ?? 0 }, (_, index) => {
    const [id, sampling = 0] = header.subarray(6 + 3 * index);
    return { id, h: sampling >> 4, v: sampling & 15, missing: new Uint8Array(64).fill(ALL) };
  });
  return { width, height, isProgressive: code === SOF2, components };
}

/**
 * Reads a scan header, which may be cut. A sequential one's last numbers say nothing, and some cameras write wrong ones.
 * (ITU-T T.81 B.2.3.)
 *
 * @returns The components, as far as the frame has them, each with the numbers of its Huffman tables; the first and the
 * last coefficient; `low`, the lowest bit in this scan, and `high`, that of the scan before it, or 0.
 */
export function readScan<Part extends Component>(frame: Frame<Part>, header: Buffer) {
  const rest = new Set(frame.components);
  const count = header[0] ?? 0;
  const parts = Array.from({ length: count }, (_, index) => {
    const [id, tables = 0] = header.subarray(1 + 2 * index);
    // Components may share an id; then their order tells.
    const component = [...rest].find((each) => each.id === id);
    if (component !== undefined) rest.delete(component);
    return { component, tables };
  });
  const [first = 0, last = 0, bits = 0] = frame.isProgressive ? header.subarray(1 + 2 * count) : [0, 63, 0];
  return { parts, first, last, high: bits >> 4, low: bits & 15 };
}

/**
 * Walks a JPEG up to EOI. All bits of all coefficients must have come by then: decoders show an image without its last
 * scans, which is coarse or lacks a colour, and say nothing.
 */
export async function walkJpeg(reader: ByteReader): Promise<void> {
  let frame: Frame | undefined;
  for await (const { code, start, end } of readSegments(reader)) {
    const coding = UNSUPPORTED.get(code);
    if (coding !== undefined) throw unsupported(coding);
    if (!isFrame(code) && code !== SOS) continue;
    const header = await reader.read(start, Math.min(end - start, MAX_HEADER_BYTES));
    if (code !== SOS) {
      if (header[0] === 12) throw unsupported('12-bit JPEG');
      frame ??= readFrame(code, header);
    } else if (frame !== undefined) {
      const { parts, first, last, high, low } = readScan(frame, header);
      for (const { component } of parts) {
        const missing = component?.missing.subarray(first, last + 1);
        // The bits of this scan are not the next ones, so a scan before it is missing.
        if (frame.isProgressive && missing?.some((before) => before !== (high || ALL)) === true)
          throw broken();
        missing?.fill(low);
      }
    }
  }
  if (frame?.components.some(({ missing }) => missing.some((bits) => bits > 0)) === true) throw incomplete();
}

/** Reads the header up to the first scan. (ITU-T T.81 B.2.2 and B.2.3.) */
export async function readJpegHeader(reader: ByteReader): Promise<PlainHeader | undefined> {
  let frame: Frame | undefined;
  for await (const { code, start, end, isNext } of readSegments(reader)) {
    if (!isNext) return undefined;
    if (isSkippable(code)) continue;
    if (code === SOS) {
      const scanned = await reader.uint(start, 1);
      // libjpeg takes an image whose first scan lacks a component for progressive.
      const isUsual = frame?.isProgressive === true || scanned === frame?.components.length;
      if (frame === undefined || !isUsual || end - start !== 4 + 2 * scanned) return undefined;
      const { width, height, isProgressive } = frame;
      return { width, height, isProgressive };
    }
    if (frame !== undefined || !isFrame(code)) return undefined;
    const header = await reader.read(start, Math.min(end - start, MAX_HEADER_BYTES));
    frame = readFrame(code, header);
    const { width, height, components } = frame;
    // Other precisions and components exist. A height of 0 means that a DNL segment has it, after the first scan.
    const isSupported = header[0] === 8 && [1, 3, 4].includes(components.length) && width * height > 0;
    if (!isSupported || end - start !== 6 + 3 * components.length) return undefined;
  }
  return undefined;
}
