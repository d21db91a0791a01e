// Lists the saved images: those in a folder and the folders below, newest first.

import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';

/** The most images in one list. */
const MAX_LISTED = 60;

export interface SavedImage {
  /** The name in the save command. */
  readonly name: string;
  readonly bytes: number;
  /** The modification time, in milliseconds since 1970. */
  readonly time: number;
}

/** Returns the newest images, and the number of all. */
export async function listSavedImages(
  folder: string,
): Promise<{ total: number; images: readonly SavedImage[] }> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries
    // A name with a leading dot is a temporary file of a save in progress.
    .filter((entry) => entry.isFile() && /^[^.].*\.(jpe?g|png|webp|avif|gif|tiff?)$/i.test(entry.name))
    .map(async ({ parentPath, name }): Promise<SavedImage | undefined> => {
      const file = path.join(parentPath, name);
      // The file may have been removed since.
      const stats = await stat(file).catch(() => undefined);
      const relative = path.relative(folder, file).split(path.sep).join('/');
      return stats && { name: relative, bytes: stats.size, time: Math.floor(stats.mtimeMs) };
    });
  const images = (await Promise.all(files)).filter((image) => image !== undefined);
  images.sort((a, b) => b.time - a.time || a.name.localeCompare(b.name));
  return { total: images.length, images: images.slice(0, MAX_LISTED) };
}
