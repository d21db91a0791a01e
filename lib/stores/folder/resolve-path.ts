// Resolves a name below the save path, and checks that it can be saved to, before the image is rendered.
import { constants, type Stats } from 'node:fs';
import { join, sep } from 'node:path';
import { SaveError, fileSystemError, systemCode } from '../../errors.js';
import { fsCalls } from '../../temp-files/fs.js';
import { DirectoryHandle } from './directory.js';

/** The path of an image: an open folder inside the save path, and an entry of it. */
export interface ResolvedPath {
  readonly directory: DirectoryHandle;
  /** The last segment of the name. */
  readonly basename: string;
}

/**
 * Resolves a name and checks that it can be saved to. The caller closes the folder.
 *
 * The checks spare the renderer work. Their results may change before the image is published, so publishing relies on
 * the folder's fd and on `rename` or `link` instead.
 *
 * @param savePath An absolute path.
 * @param segments A checked name, from {@link checkName}.
 * @throws SaveError The save path or the folder is missing, outside or not writable, or the name is taken.
 */
export async function openTarget(
  savePath: string,
  segments: readonly string[],
  options: { readonly overwrite: boolean },
): Promise<ResolvedPath> {
  const folders = segments.slice(0, -1);
  const basename = segments.at(-1) ?? '';
  const path = [savePath, ...folders, '.'].join(sep);
  // In parallel, because these calls in sequence would take as long as publishing. The last two use the path, which
  // may lead elsewhere by now, but their results only spare the renderer work.
  const [opened, writable, existing] = await Promise.allSettled([
    openInside(savePath, folders),
    fsCalls.access(path, constants.W_OK | constants.X_OK),
    fsCalls.lstat(join(path, basename)).catch(ignoreMissing),
  ]);
  if (opened.status === 'rejected') throw fileSystemError(opened.reason, { folder: folders.join('/') });
  const directory = opened.value;
  try {
    if (writable.status === 'rejected') throw writable.reason;
    if (existing.status === 'rejected') throw existing.reason;
    checkExisting(existing.value, options.overwrite);
    return { directory, basename };
  } catch (error) {
    directory.close();
    throw fileSystemError(error);
  }
}

/** Opens a folder that is inside the save path once all links are resolved. */
async function openInside(savePath: string, folders: readonly string[]): Promise<DirectoryHandle> {
  // The dot at the end makes the call fail if the save path is a file.
  const itself = savePath + sep + '.';
  if (folders.length === 0) return DirectoryHandle.open(itself).catch(throwSavePathError);
  const direct = await DirectoryHandle.open(join(itself, ...folders)).catch(() => undefined);
  // A resolved path below the save path proves that the save path contains no link, and needs no resolving.
  if (direct !== undefined && isInside(direct.path, savePath)) return direct;
  direct?.close();
  const root = await fsCalls.realpath(itself).catch(throwSavePathError);
  const directory = await DirectoryHandle.open(join(root, ...folders));
  if (isInside(directory.path, root)) return directory;
  directory.close();
  throw new SaveError('outside-save-path');
}

function throwSavePathError(error: unknown): never {
  if (!['ENOENT', 'ENOTDIR', 'ELOOP'].includes(systemCode(error) ?? '')) throw fileSystemError(error);
  throw new SaveError('save-path-missing', {}, error);
}

function isInside(path: string, root: string): boolean {
  return path === root || path.startsWith(root.endsWith(sep) ? root : root + sep);
}

function ignoreMissing(error: unknown): undefined {
  if (systemCode(error) !== 'ENOENT') throw error;
}

function checkExisting(existing: Stats | undefined, overwrite: boolean): void {
  if (existing === undefined) return;
  // A link at the final name is replaced, never followed.
  if (!existing.isFile() && !existing.isSymbolicLink()) {
    throw new SaveError('not-a-file');
  }
  if (!overwrite) throw new SaveError('file-exists');
}
