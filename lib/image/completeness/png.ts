// PNG: chunks up to IEND.
import type { ByteReader } from '../byte-reader.js';
import { broken, incomplete } from '../refusals.js';

/** Walks a PNG up to IEND. (PNG 5.3: length, type, data, checksum; 11.2.5: IEND is the last chunk.) */
export async function walkPng(reader: ByteReader): Promise<void> {
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
