// The image formats that can be saved: their media types, their file name extensions, their first bytes.

/** A raster format that can be saved, by the name that its media type has after `image/`. */
export type ImageFormat = 'jpeg' | 'png' | 'webp' | 'gif' | 'tiff' | 'avif';

/** The format that a file name announces. */
export type NamedFormat = ImageFormat | 'any' | 'unknown';

/** The number of bytes that {@link getFormatByBytes} reads. A shorter file has fewer. */
export const MAGIC_BYTES = 256;

// A .heif or .heic is not here: it promises HEVC, and the prebuilt decoder reads AV1 only.
const EXTENSIONS: ReadonlyMap<string, ImageFormat> = new Map([
  ['jpg', 'jpeg'],
  ['jpeg', 'jpeg'],
  ['jpe', 'jpeg'],
  ['jfif', 'jpeg'],
  ['png', 'png'],
  // An animated PNG is a PNG.
  ['apng', 'png'],
  ['webp', 'webp'],
  ['gif', 'gif'],
  ['tif', 'tiff'],
  ['tiff', 'tiff'],
  ['avif', 'avif'],
]);

/** The registered media type of a format. */
export function getMediaType(format: ImageFormat): string {
  return `image/${format}`;
}

/**
 * The format that the extension of a file name announces, in upper or lower case. A name without a dot may have
 * `'any'` format.
 */
export function getFormatByName(name: string): NamedFormat {
  const base = name.slice(name.lastIndexOf('/') + 1);
  const dot = base.lastIndexOf('.');
  if (dot === -1) return 'any';
  return EXTENSIONS.get(base.slice(dot + 1).toLowerCase()) ?? 'unknown';
}

/** The format that a file's first {@link MAGIC_BYTES} bytes announce, `undefined` if none that can be saved. */
export function getFormatByBytes(head: Buffer): ImageFormat | undefined {
  const magic = head.toString('latin1');
  if (magic.startsWith('\xff\xd8\xff')) return 'jpeg';
  if (magic.startsWith('\x89PNG\r\n\x1a\n')) return 'png';
  if (/^GIF8[79]a/.test(magic)) return 'gif';
  if (/^RIFF[^]{4}WEBP/.test(magic)) return 'webp';
  // 42 is classic TIFF, 43 BigTIFF.
  if (/^(II[*+]\0|MM\0[*+])/.test(magic)) return 'tiff';
  if (isAvif(head)) return 'avif';
  return undefined;
}

// HEVC files share the container with AVIF and must not get through, so their generic brands do not count.
function isAvif(head: Buffer): boolean {
  return hasBrand(head, 'avif') || hasBrand(head, 'avis');
}

/**
 * Whether the first {@link MAGIC_BYTES} bytes of a file name a brand, as the major or a compatible one: `'avif'` for
 * still images, `'avis'` for image sequences. (AV1 Image File Format 5.1; ISO/IEC 14496-12 4.3.)
 */
export function hasBrand(head: Buffer, brand: 'avif' | 'avis'): boolean {
  if (head.length < 16 || head.toString('latin1', 4, 8) !== 'ftyp') return false;
  const end = Math.min(head.readUInt32BE(0), head.length);
  for (let at = 8; at + 4 <= end; at += 4) {
    // The minor version, between the major brand and the compatible ones, is a number.
    if (at !== 12 && head.toString('latin1', at, at + 4) === brand) return true;
  }
  return false;
}
