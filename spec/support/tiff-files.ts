// TIFF files that no encoder writes: directories and values wherever a spec wants them.

/** One entry of a directory: TIFF 6.0 section 2. */
export type TiffEntry = readonly [tag: number, type: number, count: number, value: number];

export interface TiffDirectory {
  readonly at: number;
  readonly entries: readonly TiffEntry[];
  /** Where the next directory is, 0 for none. */
  readonly next: number;
}

export interface TiffFlavour {
  readonly endian: 'II' | 'MM';
  /** BigTIFF. */
  readonly big: boolean;
}

/** Classic and BigTIFF, in either byte order. */
export const FLAVOURS: readonly TiffFlavour[] = [
  { endian: 'II', big: false },
  { endian: 'MM', big: false },
  { endian: 'II', big: true },
  { endian: 'MM', big: true },
];

/** The bytes of one value of the types SHORT, LONG and IFD. */
const SINGLE_BYTES: Readonly<Record<number, number>> = { 3: 2, 4: 4, 13: 4 };

/** Writes an unsigned number of `width` bytes. */
export function putUint(image: Buffer, endian: 'II' | 'MM', at: number, width: number, value: number): void {
  for (let index = 0; index < width; index += 1) {
    const position = endian === 'II' ? at + index : at + width - 1 - index;
    // A spec may let parts of its file lie behind the end.
    if (position < image.length) image[position] = Math.floor(value / 256 ** index) % 256;
  }
}

/** The bytes that a directory of so many entries takes. */
export const directoryBytes = (entries: number, big: boolean): number =>
  big ? 8 + 20 * entries + 8 : 2 + 12 * entries + 4;

/** A file of `length` zeros with directories in it, of which the header names the first. */
export function tiffFile(
  { endian, big }: TiffFlavour,
  directories: readonly TiffDirectory[],
  length = 1024,
): Buffer {
  const image = Buffer.alloc(length);
  const put = (at: number, width: number, value: number): void => {
    putUint(image, endian, at, width, value);
  };
  const wide = big ? 8 : 4;
  image.write(endian, 'latin1');
  put(2, 2, big ? 43 : 42);
  if (big) put(4, 2, 8);
  put(wide, wide, directories[0]?.at ?? 0);
  for (const { at, entries, next } of directories) {
    put(at, big ? 8 : 2, entries.length);
    let position = at + (big ? 8 : 2);
    for (const [tag, type, count, value] of entries) {
      put(position, 2, tag);
      put(position + 2, 2, type);
      put(position + 4, wide, count);
      // A value that is shorter than its place stands at the left. (TIFF 6.0 section 2.)
      put(position + 4 + wide, (count === 1 ? SINGLE_BYTES[type] : undefined) ?? wide, value);
      position += 4 + 2 * wide;
    }
    put(position, wide, next);
  }
  return image;
}

/** An uncompressed grey TIFF of black pages of these sizes. */
export const greyTiff = (...sizes: readonly (readonly [width: number, height: number])[]): Buffer =>
  greyTiffOf(FLAVOURS[0]!, sizes);

export function greyTiffOf(
  flavour: TiffFlavour,
  sizes: readonly (readonly [width: number, height: number])[],
  more: readonly TiffEntry[] = [],
): Buffer {
  let at = 16;
  const directories = sizes.map(([width, height], page): TiffDirectory => {
    const pixelsAt = at + directoryBytes(8 + more.length, flavour.big);
    const next = pixelsAt + width * height;
    const entries: TiffEntry[] = [
      [256, 4, 1, width],
      [257, 4, 1, height],
      [258, 3, 1, 8],
      [259, 3, 1, 1],
      [262, 3, 1, 1],
      [273, 4, 1, pixelsAt],
      [278, 4, 1, height],
      [279, 4, 1, width * height],
      ...more,
    ];
    entries.sort(([a], [b]) => a - b);
    const directory = { at, entries, next: page === sizes.length - 1 ? 0 : next };
    at = next;
    return directory;
  });
  return tiffFile(flavour, directories, at);
}
