// Folders to save into, removed after each suite.
import { mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const folders: string[] = [];

export function makeFolder(): string {
  // By its own name: macOS has a link to it, and Windows a short form of it.
  const folder = realpathSync.native(mkdtempSync(join(tmpdir(), 'image-save-')));
  folders.push(folder);
  return folder;
}

export function removeFolders(): void {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
}

/** Makes a link to a folder, of the kind that every user of Windows may make; elsewhere there is only one kind. */
export function linkFolder(target: string, path: string): void {
  symlinkSync(target, path, 'junction');
}

/** Everything in a folder, temporary files too. */
export function list(folder: string): string[] {
  return readdirSync(folder).sort();
}
