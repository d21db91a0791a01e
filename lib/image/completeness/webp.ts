// WebP: a RIFF chunk with all others inside it.
import type { ByteReader } from '../byte-reader.js';
import { broken, incomplete } from '../refusals.js';

/** Walks the chunks of a WebP: each has a length and is padded to an even one. (RFC 9649 2.3 and 2.4.) */
export async function walkWebp(reader: ByteReader): Promise<void> {
  const end = 8 + (await reader.read(0, 12)).readUInt32LE(4);
  if (end > reader.length) throw incomplete();
  for (let position = 12; position + 8 <= end;) {
    const length = (await reader.read(position, 8)).readUInt32LE(4);
    if (position + 8 + length > end) throw broken();
    position += 8 + length + (length % 2);
  }
}
