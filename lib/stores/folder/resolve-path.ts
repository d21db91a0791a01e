// Resolves a name below the save path, makes its missing folders, and checks before rendering that it can be saved to.
import { constants } from 'node:fs';
import { join, sep } from 'node:path';
import { SaveError, fileSystemError, systemCode } from '../../errors.js';
import { fsCalls, ignoreMissing } from '../../temp-files/fs.js';
import type { PrepareOptions } from '../types.js';
import { DirectoryHandle } from './directory.js';
import { checkSpelling } from './spelling.js';

type ResolveOptions = Omit<PrepareOptions, 'req' | 'signal'>;

/** The maximum number of folders of a name, where missing ones are created. */
const MAX_CREATED_FOLDERS = 16;

/**
 * Opens the folder of a name, which is inside the save path, and returns the last segment of the name with it.
 *
 * The checks spare the renderer work. Their results may change before the image is published, so publishing relies on
 * the folder's fd and on `rename` or `link` instead. The caller closes the folder.
 *
 * @param savePath An absolute path.
 * @param segments A checked name.
 * @throws SaveError The save path or the folder is missing, outside or not writable, or the name is taken.
 */
export async function openTarget(
  savePath: string,
  segments: readonly string[],
  options: ResolveOptions,
): Promise<{ directory: DirectoryHandle; basename: string }> {
  const folders = segments.slice(0, -1);
  const basename = segments.at(-1) ?? '';
  const path = [savePath, ...folders, '.'].join(sep);
  const spelling = checkSpelling(savePath, segments);
  const opening = openInside(savePath, folders, options, spelling).catch((error: unknown) => {
    const limit = options.createFolders === true ? { maxFolders: MAX_CREATED_FOLDERS } : {};
    throw fileSystemError(error, { folder: folders.join('/'), ...limit });
  });
  // In parallel, because these calls in sequence would take as long as publishing. The last three use the path, which
  // may lead elsewhere by now, but no client can change that.
  const checks = await Promise.allSettled([
    opening,
    fsCalls.access(path, constants.W_OK | constants.X_OK).catch(ignoreMissing),
    spelling,
    checkExisting(join(path, basename), options.overwrite),
  ]);
  const refused = checks.find((check) => check.status === 'rejected');
  if (refused === undefined) return { directory: await opening, basename };
  if (checks[0].status === 'fulfilled') checks[0].value.close();
  throw fileSystemError(refused.reason);
}

async function checkExisting(path: string, overwrite: boolean): Promise<void> {
  const existing = await fsCalls.lstat(path).catch(ignoreMissing);
  if (existing === undefined) return;
  // A link at the final name is replaced, never followed.
  if (!existing.isFile() && !existing.isSymbolicLink()) throw new SaveError('not-a-file');
  if (!overwrite) throw new SaveError('file-exists');
}

/** Opens a folder that is inside the save path once all links are resolved. */
async function openInside(
  savePath: string,
  folders: readonly string[],
  { createFolders = false, durable }: ResolveOptions,
  spelling: Promise<void>,
): Promise<DirectoryHandle> {
  if (folders.length > 0) {
    const direct = await DirectoryHandle.open(join(savePath, ...folders)).catch(() => undefined);
    // A resolved path below the save path proves that the save path contains no link, and needs no resolving.
    if (direct?.isInside(savePath) === true) return direct;
    direct?.close();
  }
  const root = await DirectoryHandle.open(savePath + sep + '.').catch(throwSavePathError);
  if (folders.length === 0) return root;
  try {
    const directory = await DirectoryHandle.open(join(root.path, ...folders)).catch(
      async (error: unknown) => {
        const isTooDeep = folders.length > MAX_CREATED_FOLDERS;
        if (!createFolders || isTooDeep || systemCode(error) !== 'ENOENT') throw error;
        // Nothing is made in a folder that `authorize` has not judged by its own spelling.
        await spelling;
        return makeFolders(root, folders, durable);
      },
    );
    if (directory.isInside(root.path)) return directory;
    directory.close();
  } finally {
    root.close();
  }
  throw new SaveError('outside-save-path');
}

/** What is wrong with the path itself: no other name helps the client. The last one is Node's, for a NUL in it. */
const NO_SUCH_PATH = ['ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG', 'ERR_INVALID_ARG_VALUE'];

function throwSavePathError(error: unknown): never {
  if (!NO_SUCH_PATH.includes(systemCode(error) ?? '')) throw fileSystemError(error);
  throw new SaveError('save-path-missing', {}, error);
}

/**
 * Opens a folder below another one, which stays open, and makes those on the way that are missing. Links are followed;
 * no folder is made outside the root, whatever takes the place of a folder meanwhile.
 */
async function makeFolders(
  root: DirectoryHandle,
  folders: readonly string[],
  durable: boolean,
): Promise<DirectoryHandle> {
  let directory = root;
  for (const folder of folders) {
    const parent = directory;
    const path = parent.join(folder);
    try {
      directory = await DirectoryHandle.open(path).catch(async (error: unknown) => {
        if (systemCode(error) !== 'ENOENT') throw error;
        if (!parent.isInside(root.path)) throw new SaveError('outside-save-path');
        await parent.assertUnmoved();
        await fsCalls.mkdir(path).catch((failure: unknown) => {
          // Another save has made it, or it is a broken link: opening it tells.
          if (systemCode(failure) !== 'EEXIST') throw failure;
        });
        if (durable) await parent.sync();
        return DirectoryHandle.open(path);
      });
    } finally {
      if (parent !== root) parent.close();
    }
  }
  return directory;
}
