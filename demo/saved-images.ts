// Lists the saved images: those in a folder and the folders below, newest first.

import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import sharp from 'sharp';

/** The most images in one list. */
const MAX_LISTED = 60;

export interface ImageInfo {
  width: number;
  height: number;
  /** The media type. */
  type: string;
}

export interface SavedImage extends ImageInfo {
  /** The name in the save command. */
  name: string;
  bytes: number;
  /** The modification time, in milliseconds since 1970. */
  time: number;
}

interface File {
  name: string;
  file: string;
  bytes: number;
  time: number;
}

/**
 * @returns The newest images, and the number of all. The number counts files that are not listed without a check that
 *   they are images.
 */
export async function listSavedImages(folder: string): Promise<{ total: number; images: SavedImage[] }> {
  const files = await findFiles(folder);
  files.sort((a, b) => b.time - a.time || a.name.localeCompare(b.name));
  const newest = await Promise.all(files.slice(0, MAX_LISTED).map(describe));
  const images = newest.filter((image) => image !== undefined);
  return { total: files.length - newest.length + images.length, images };
}

async function findFiles(folder: string): Promise<File[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries
    // A name with a leading dot is a temporary file of a save in progress.
    .filter((entry) => entry.isFile() && !entry.name.startsWith('.'))
    .map(async (entry): Promise<File | undefined> => {
      // Node 20.9 has only `path`.
      // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition, @typescript-eslint/no-deprecated
      const file = path.join(entry.parentPath ?? entry.path, entry.name);
      const name = path.relative(folder, file).split(path.sep).join('/');
      // The file may have been removed since.
      const stats = await stat(file).catch(() => undefined);
      return stats && { name, file, bytes: stats.size, time: Math.floor(stats.mtimeMs) };
    });
  return (await Promise.all(files)).filter((file) => file !== undefined);
}

async function describe({ name, file, bytes, time }: File): Promise<SavedImage | undefined> {
  try {
    return { name, bytes, time, ...(await readImageInfo(file)) };
  } catch {
    // The file is no image, or was removed since.
    return undefined;
  }
}

/** Reads the size and the type of an image from its header. */
export async function readImageInfo(file: string): Promise<ImageInfo> {
  const { format, width, height } = await sharp(file).metadata();
  return { width, height, type: `image/${(format as string) === 'heif' ? 'avif' : format}` };
}
