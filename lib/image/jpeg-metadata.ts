// A JPEG without its metadata.

/**
 * Copies a JPEG without its application segments (JFIF, Exif, ICC profiles, …), its comments and any bytes between two
 * segments before the first scan, which every decoder skips. Every warning that a decoder gives for the copy is about the
 * coded image itself. (ITU-T T.81 B.1.1.3 and B.2.4.)
 */
export function removeJpegMetadata(jpeg: Buffer): Buffer {
  const [APP0, APP15, COM, SOS] = [0xe0, 0xef, 0xfe, 0xda];
  const kept = [jpeg.subarray(0, 2)];
  let at = 2;
  for (;;) {
    at = jpeg.indexOf(0xff, at);
    if (at === -1 || at + 4 > jpeg.length) return jpeg;
    const code = jpeg.readUInt8(at + 1);
    if (code === SOS) break;
    if (code === 0x00 || code === 0xff) {
      // Neither 0 nor a fill byte is the code of a marker. (T.81 B.1.1.2)
      at += 1;
      continue;
    }
    const end = at + 2 + jpeg.readUInt16BE(at + 2);
    if (!((code >= APP0 && code <= APP15) || code === COM)) kept.push(jpeg.subarray(at, end));
    at = end;
  }
  kept.push(jpeg.subarray(at));
  return Buffer.concat(kept);
}
