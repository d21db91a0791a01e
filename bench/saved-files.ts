// The folders into which the servers save, and whether every image is in its file.
import { mkdirSync, readdirSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import type { Path } from './load.js';

let folders = 0;

/** A new folder and requests that save an image there: on ext4, a folder from which files were deleted is slow. */
export function createFolder(savePath: string, image: string): { dir: string; path: Path } {
  const name = `saves-${folders++}`;
  mkdirSync(join(savePath, name));
  const path: Path = (index) => `/${image}?wid=800&req=saveToFile&name=${name}/${index}.jpg`;
  return { dir: join(savePath, name), path };
}

/**
 * Files are emptied rather than deleted: on ext4, deleting makes later creations several times slower.
 *
 * @param original A file with the image that was saved.
 * @throws Error Not every image is in its file, whole.
 */
export function checkAndEmpty(dir: string, expected: number, original: string): void {
  const { size } = statSync(original);
  const files = readdirSync(dir).map((name) => join(dir, name));
  const whole = files.filter((file) => statSync(file).size === size).length;
  if (files.length !== expected || whole !== expected)
    throw new Error(`${dir} has ${whole} whole images in ${files.length} files, not ${expected}`);
  for (const file of files) truncateSync(file);
}
