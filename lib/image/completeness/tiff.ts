// TIFF and BigTIFF have no end mark. The file is complete if it has all bytes that its directories name.
import type { ImageBytes } from '../../bytes/image-bytes.js';
import { ByteReader } from '../byte-reader.js';
import { SaveError } from '../../errors.js';
import { broken, incomplete } from '../refusals.js';
import {
  LENGTH,
  OFFSETS_AND_COUNTS,
  readDirectories,
  readValue,
  TILE_OFFSETS,
  WIDTH,
} from '../tiff-directories.js';

/** Checks that all strips, tiles and old-style JPEGs that the directories of a TIFF name are in the file. */
export async function walkTiff(reader: ByteReader): Promise<void> {
  const offsetsReader = reader.clone();
  const countsReader = reader.clone();
  // Lists with bytes of their own are shorter than the file together. Lists that share bytes have no such bound.
  let listBytesLeft = reader.length;
  for await (const { fields } of readDirectories(reader)) {
    for (const [offsetsTag, countsTag] of OFFSETS_AND_COUNTS) {
      const offsets = fields.get(offsetsTag);
      if (offsets === undefined) continue;
      listBytesLeft -= offsets.count * offsets.width;
      if (listBytesLeft < 0) throw broken();
      for (let index = 0; index < offsets.count; index += 1) {
        const offset = await readValue(offsetsReader, offsets, index);
        const count = await readValue(countsReader, fields.get(countsTag), index);
        if (offset + count > reader.length) throw incomplete();
      }
    }
  }
}

/**
 * The pixels of all pages of a TIFF, smaller copies of them included.
 *
 * @throws SaveError The directories contradict each other or are not in the file.
 */
export async function countTiffPixels(reader: ByteReader): Promise<number> {
  const values = reader.clone();
  let pixels = 0;
  for await (const { fields } of readDirectories(reader)) {
    pixels += (await readValue(values, fields.get(WIDTH))) * (await readValue(values, fields.get(LENGTH)));
  }
  return pixels;
}

/**
 * Whether any page of a TIFF is stored in tiles, as far as its directories can be read.
 *
 * @param signal Stops the search when it next yields to the event loop, with the signal's reason.
 */
export async function isTiledTiff(bytes: ImageBytes, signal?: AbortSignal): Promise<boolean> {
  try {
    for await (const { fields } of readDirectories(new ByteReader(bytes, signal))) {
      if (fields.has(TILE_OFFSETS)) return true;
    }
  } catch (error) {
    if (!(error instanceof SaveError)) throw error;
  }
  return false;
}
