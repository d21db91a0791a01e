// WebP: a RIFF chunk with all others inside it.
import { readUint, type ByteReader } from '../byte-reader.js';
import { incomplete } from '../refusals.js';

/**
 * Checks that a WebP has all bytes that its RIFF chunk announces. (RFC 9649 2.4.) The decoder refuses coded pixels that
 * do not fit into it, and skips whatever is odd about other chunks, such as a missing byte of padding.
 */
export async function walkWebp(reader: ByteReader): Promise<void> {
  if (8 + (await reader.uint(4, 4, true)) > reader.length) throw incomplete();
}

/**
 * The pixels of all frames of a WebP, 0 if the first chunk says nothing about them. (RFC 9649 2.5 to 2.7; RFC 6386 9.1;
 * RFC 9649 3.4.)
 */
export async function countWebpPixels(reader: ByteReader): Promise<number> {
  const chunk = await reader.read(12, 18);
  const type = chunk.toString('latin1', 0, 4);
  const sizeAt = (at: number, mask: number): number => chunk.readUInt16LE(at) & mask;
  if (type === 'VP8 ') return sizeAt(14, 0x3fff) * sizeAt(16, 0x3fff);
  if (type === 'VP8L') {
    const sizes = chunk.readUInt32LE(9);
    return ((sizes & 0x3fff) + 1) * (((sizes >> 14) & 0x3fff) + 1);
  }
  if (type !== 'VP8X') return 0;
  const canvas = (readUint(chunk.subarray(12, 15), true) + 1) * (readUint(chunk.subarray(15, 18), true) + 1);
  let frames = 0;
  for (let position = 12; position + 8 <= reader.length;) {
    const head = await reader.read(position, 8);
    if (head.toString('latin1', 0, 4) === 'ANMF') frames += 1;
    const length = head.readUInt32LE(4);
    position += 8 + length + (length % 2);
  }
  return canvas * Math.max(1, frames);
}
