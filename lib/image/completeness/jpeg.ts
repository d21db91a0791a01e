// JPEG: marker segments with a length, and entropy-coded bytes, up to the end-of-image marker.
import type { ByteReader } from '../byte-reader.js';

const SOI = 0xd8;
const EOI = 0xd9;

/**
 * Walks a JPEG up to EOI. (ITU-T T.81 B.1.1.)
 *
 * Entropy-coded bytes follow a start of scan. In them, 0xff is followed by 0 or by a restart marker, and any other
 * marker ends them. So the search for the next marker skips them too.
 */
export async function walkJpeg(reader: ByteReader): Promise<void> {
  for (let position = 2; ;) {
    let index = reader.indexInWindow(position, 2);
    if (index === -1) index = await reader.loadWindow(position, 2);
    const { window } = reader;
    const prefix = window.indexOf(0xff, index);
    position += (prefix === -1 ? window.length : prefix) - index;
    if (prefix === -1) continue;
    const code = window[prefix + 1];
    if (code === undefined) {
      // The window ends between the two bytes of a marker; the next window begins with that marker.
    } else if (code === EOI) {
      return;
    } else if (code === 0xff) {
      // A fill byte, T.81 B.1.1.2: the marker's code comes later.
      position += 1;
    } else if (code <= 0x01 || (code >= 0xd0 && code <= SOI)) {
      // A stuffed zero, TEM, RSTn and SOI have no length.
      position += 2;
    } else {
      const length = (await reader.read(position + 2, 2)).readUInt16BE(0);
      position += 2 + Math.max(2, length);
    }
  }
}
