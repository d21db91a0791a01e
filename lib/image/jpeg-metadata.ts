// A JPEG without its metadata.

/**
 * Copies a JPEG without its application segments (JFIF, Exif, ICC profiles, …) and comments. Every warning that a
 * decoder gives for the copy is about the coded image itself. (ITU-T T.81 B.1.1.3 and B.2.4.)
 */
export function removeJpegMetadata(jpeg: Buffer): Buffer {
  const [APP0, APP15, COM, SOS] = [0xe0, 0xef, 0xfe, 0xda];
  const kept = [jpeg.subarray(0, 2)];
  let at = 2;
  while (at + 4 <= jpeg.length && jpeg[at] === 0xff && jpeg[at + 1] !== SOS) {
    const code = jpeg.readUInt8(at + 1);
    // 0xff is a fill byte, T.81 B.1.1.2: the marker comes later.
    const end = code === 0xff ? at + 1 : at + 2 + jpeg.readUInt16BE(at + 2);
    if (!((code >= APP0 && code <= APP15) || code === COM)) kept.push(jpeg.subarray(at, end));
    at = end;
  }
  kept.push(jpeg.subarray(at));
  return Buffer.concat(kept);
}
