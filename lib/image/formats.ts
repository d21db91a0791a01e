// The image formats that can be saved: their media types, their file name extensions, their first bytes.

/** A raster format that can be saved, by the name that its media type has after `image/`. */
export type ImageFormat = 'jpeg' | 'png' | 'webp' | 'gif' | 'tiff' | 'avif';

/** The format that a file name announces. */
type NamedFormat = ImageFormat | 'any' | 'unknown';

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
export const getMediaType = (format: ImageFormat): string => `image/${format}`;

/** The format that the extension of a file name announces, in upper or lower case. Without a dot it is `'any'`. */
export function getFormatByName(name: string): NamedFormat {
  const base = name.slice(name.lastIndexOf('/') + 1);
  const dot = base.lastIndexOf('.');
  if (dot === -1) return 'any';
  return EXTENSIONS.get(base.slice(dot + 1).toLowerCase()) ?? 'unknown';
}

/** What a file begins with, format by format. A dot stands for any byte. */
const SIGNATURES: readonly (readonly [format: ImageFormat, signature: string])[] = [
  ['jpeg', '\xff\xd8\xff'],
  ['png', '\x89PNG\r\n\x1a\n'],
  ['gif', 'GIF87a'],
  ['gif', 'GIF89a'],
  ['webp', 'RIFF....WEBP'],
  // 42 is classic TIFF, 43 BigTIFF.
  ['tiff', 'II*\0'],
  ['tiff', 'MM\0*'],
  ['tiff', 'II+\0'],
  ['tiff', 'MM\0+'],
  ['avif', '\0...ftyp'],
];

/**
 * What the first bytes of a file tell: its format, `'none'` where no image that can be saved begins like this, or
 * `'undecided'` where more bytes must tell. {@link MAGIC_BYTES} bytes always decide.
 */
export function sniffFormat(head: Buffer): ImageFormat | 'none' | 'undecided' {
  const possible = SIGNATURES.find(([, signature]) => matches(head, signature));
  if (possible === undefined) return 'none';
  const [format, signature] = possible;
  if (head.length < signature.length) return 'undecided';
  if (format !== 'avif') return format;
  // HEVC files share the container with AVIF and must not get through, so generic brands do not count.
  if (head.toString('latin1', 8, 10).startsWith('he')) return 'none';
  if (hasBrand(head, 'avif') || hasBrand(head, 'avis')) return format;
  return head.length < Math.min(MAGIC_BYTES, Math.max(16, head.readUInt32BE(0))) ? 'undecided' : 'none';
}

/** Compares as many bytes as both have. */
function matches(head: Buffer, signature: string): boolean {
  return head
    .subarray(0, signature.length)
    .every((byte, index) => signature[index] === '.' || signature.charCodeAt(index) === byte);
}

/** The format that a file's first {@link MAGIC_BYTES} bytes announce, `undefined` if none that can be saved. */
export function getFormatByBytes(head: Buffer): ImageFormat | undefined {
  const format = sniffFormat(head);
  return format === 'none' || format === 'undecided' ? undefined : format;
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
