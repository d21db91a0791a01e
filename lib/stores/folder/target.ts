// A name and the save path → a checked place on disk, before anything is rendered.
import { constants, type Stats } from 'node:fs';
import { join, sep } from 'node:path';
import { fdPath, fsCalls, closeFdSync, readFdPath } from '../../temp-files/fs.js';
import { SaveError, fileSystemError, systemCode } from '../../errors.js';

/** The folder that a save goes to, held open so that nobody can put another in its place. */
export class DirectoryHandle {
  /** Where the folder was when it was checked, every link followed. */
  readonly path: string;
  readonly #fd: number | undefined;
  readonly #base: string;

  private constructor(path: string, base: string, fd: number | undefined) {
    this.path = path;
    this.#base = base;
    this.#fd = fd;
  }

  /**
   * Opens a folder.
   *
   * On Linux all later steps go by the descriptor (`/proc/self/fd/N/name`), which stays with the folder that
   * was checked even if a link is put in its place. Elsewhere they go by its path, and a folder that is swapped
   * between {@link isUnmoved} and the system call that follows it is not noticed.
   *
   * @throws A system error where there is no such folder, or it may not be opened.
   */
  static async open(path: string): Promise<DirectoryHandle> {
    if (process.platform === 'win32') {
      // Windows opens no folders.
      return new DirectoryHandle(await fsCalls.realpath(path), path, undefined);
    }
    const fd = await fsCalls.open(path, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      const fdTarget = readFdPath(fd);
      if (fdTarget !== undefined) return new DirectoryHandle(fdTarget, fdPath(fd), fd);
      const real = await fsCalls.realpath(path);
      return new DirectoryHandle(real, real, fd);
    } catch (error) {
      closeFdSync(fd);
      throw error;
    }
  }

  /** A path to an entry of this folder, or with `.` to itself, for system calls: not to be shown to anybody. */
  join(basename: string): string {
    return join(this.#base, basename);
  }

  /** Is the folder still where it was when it was checked? No, where it was moved, removed or replaced by a link. */
  async isUnmoved(): Promise<boolean> {
    const byDescriptor = this.#fd !== undefined && this.#base !== this.path;
    const now = byDescriptor
      ? readFdPath(this.#fd)
      : await fsCalls.realpath(this.path).catch(() => undefined);
    return now === this.path;
  }

  /** Flushes the folder's entries to the disk, where the system can do that to a folder. */
  async sync(): Promise<void> {
    if (this.#fd === undefined) return;
    try {
      await fsCalls.fsync(this.#fd);
    } catch (error) {
      // A file system that cannot flush folders has nothing left to promise.
      if (
        !['EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EISDIR', 'EBADF'].includes(systemCode(error) ?? '')
      ) {
        throw error;
      }
    }
  }

  /** To be called once. Never fails: a folder that was only read from has nothing to lose by it. */
  close(): void {
    if (this.#fd !== undefined) closeFdSync(this.#fd);
  }
}

/** Where an image goes: an entry of a folder that is inside the save path. */
export interface ResolvedPath {
  readonly directory: DirectoryHandle;
  /** The last part of the name. */
  readonly basename: string;
}

/**
 * Finds the place that a name stands for and looks whether it can be saved to.
 *
 * The caller closes the folder. What is found here may change before the image is published, so publishing
 * relies on the folder's descriptor and on `rename` or `link`, not on this look; it spares the renderer work.
 *
 * @param savePath An absolute path.
 * @param segments A checked name, from {@link checkName}.
 * @throws SaveError The save path or the folder is missing, outside, or not writable, or the name is taken.
 */
export async function openTarget(
  savePath: string,
  segments: readonly string[],
  options: { readonly overwrite: boolean },
): Promise<ResolvedPath> {
  const folders = segments.slice(0, -1);
  const basename = segments.at(-1) ?? '';
  const path = [savePath, ...folders, '.'].join(sep);
  // All at once: one after the other, they would take as long as publishing does. The last two go by the path, which may
  // lead elsewhere by now, but all that they can do is to spare the renderer its work.
  const [opened, writable, taken] = await Promise.allSettled([
    openInside(savePath, folders),
    fsCalls.access(path, constants.W_OK | constants.X_OK),
    fsCalls.lstat(join(path, basename)).catch(ignoreMissing),
  ]);
  if (opened.status === 'rejected') throw fileSystemError(opened.reason);
  const directory = opened.value;
  try {
    if (writable.status === 'rejected') throw writable.reason;
    if (taken.status === 'rejected') throw taken.reason;
    checkExisting(taken.value, options.overwrite);
    return { directory, basename };
  } catch (error) {
    directory.close();
    throw fileSystemError(error);
  }
}

/** Opens a folder that is really inside the save path, every link followed. */
async function openInside(savePath: string, folders: readonly string[]): Promise<DirectoryHandle> {
  // The dot at its end finds a file that stands where the folder should.
  const itself = savePath + sep + '.';
  if (folders.length === 0) return DirectoryHandle.open(itself).catch(throwSavePathError);
  const direct = await DirectoryHandle.open(join(itself, ...folders)).catch(() => undefined);
  // A real path below the save path: then no part of the save path is a link, and there is nothing to look up.
  if (direct !== undefined && isInside(direct.path, savePath)) return direct;
  direct?.close();
  const root = await fsCalls.realpath(itself).catch(throwSavePathError);
  const directory = await DirectoryHandle.open(join(root, ...folders));
  if (isInside(directory.path, root)) return directory;
  directory.close();
  throw new SaveError('outside-save-path', 'Name a folder that is really inside the save folder.');
}

function throwSavePathError(error: unknown): never {
  if (!['ENOENT', 'ENOTDIR', 'ELOOP'].includes(systemCode(error) ?? '')) throw fileSystemError(error);
  throw new SaveError(
    'save-path-missing',
    'The save folder is not there. Tell the operator of this server.',
    error,
  );
}

function isInside(path: string, root: string): boolean {
  return path === root || path.startsWith(root.endsWith(sep) ? root : root + sep);
}

function ignoreMissing(error: unknown): undefined {
  if (systemCode(error) !== 'ENOENT') throw error;
}

function checkExisting(basename: Stats | undefined, overwrite: boolean): void {
  if (basename === undefined) return;
  // A link is an entry of its own: it is replaced, wherever it leads.
  if (!basename.isFile() && !basename.isSymbolicLink()) {
    throw new SaveError('not-a-file', 'Choose another name: something that is not a file has this one.');
  }
  if (!overwrite) throw fileExists();
}

/** The refusal under `overwrite: false`, found before rendering or by the link that publishes. */
export function fileExists(cause?: unknown): SaveError {
  return new SaveError(
    'file-exists',
    'Choose another name: there is a file of this one, and it is kept.',
    cause,
  );
}
