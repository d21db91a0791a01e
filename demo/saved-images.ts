// What has been saved: the images of a folder and of the folders below it, the newest first.

import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import sharp from 'sharp';

/** How many images a list holds at most; a page that shows more helps nobody. */
const MOST = 60;

export interface ImageFacts {
  width: number;
  height: number;
  /** The media type. */
  type: string;
}

export interface SavedImage extends ImageFacts {
  /** The name that it was saved under. */
  name: string;
  bytes: number;
  /** When it was saved, milliseconds since 1970. */
  time: number;
}

interface File {
  name: string;
  file: string;
  bytes: number;
  time: number;
}

/** @returns How many there are, as far as is known, and the newest of them. */
export async function savedImages(folder: string): Promise<{ total: number; images: SavedImage[] }> {
  const files = await filesIn(folder);
  files.sort((a, b) => b.time - a.time || a.name.localeCompare(b.name));
  const newest = await Promise.all(files.slice(0, MOST).map(describe));
  const images = newest.filter((image) => image !== undefined);
  return { total: files.length - newest.length + images.length, images };
}

async function filesIn(folder: string): Promise<File[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries
    // Not what starts with a dot: an image that is just being saved.
    .filter((entry) => entry.isFile() && !entry.name.startsWith('.'))
    .map(async (entry): Promise<File | undefined> => {
      // Node 20.9 knows it as `path` only.
      // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition, @typescript-eslint/no-deprecated
      const file = path.join(entry.parentPath ?? entry.path, entry.name);
      const name = path.relative(folder, file).split(path.sep).join('/');
      // A file may be gone since it was listed.
      const facts = await stat(file).catch(() => undefined);
      return facts && { name, file, bytes: facts.size, time: Math.floor(facts.mtimeMs) };
    });
  return (await Promise.all(files)).filter((file) => file !== undefined);
}

async function describe({ name, file, bytes, time }: File): Promise<SavedImage | undefined> {
  try {
    return { name, bytes, time, ...(await readFacts(file)) };
  } catch {
    // Not an image, or gone.
    return undefined;
  }
}

export async function readFacts(file: string): Promise<ImageFacts> {
  const { format, width, height } = await sharp(file).metadata();
  return { width, height, type: `image/${(format as string) === 'heif' ? 'avif' : format}` };
}
