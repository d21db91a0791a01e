// A name and the save path → a checked place on disk, before anything is rendered.
import { constants, type Stats } from 'node:fs';
import { join, sep } from 'node:path';
import { descriptorPath, disk, forget, whereIs } from './disk.js';
import { SaveError, fileSystemError, systemCode } from './errors.js';
import { formatOfName } from './formats.js';

/** The longest part of a path that the usual file systems take, in bytes of UTF-8. */
const LONGEST_PART = 255;

/** C0, DEL and C1. */
const CONTROL_CHARACTER = /[\u0000-\u001f\u007f-\u009f]/;

/** What Windows takes for a device, with or without an extension. (Microsoft, "Naming Files, Paths, and Namespaces".) */
const DEVICE_NAME = /^(?:con|prn|aux|nul|(?:com|lpt)[0-9⁰¹²³⁴-⁹])$/i;

/** The folder that a save goes to, held open so that nobody can put another in its place. */
export class Folder {
  /** Where the folder was when it was checked, every link followed. */
  readonly path: string;
  readonly #descriptor: number | undefined;
  readonly #base: string;

  private constructor(path: string, base: string, descriptor: number | undefined) {
    this.path = path;
    this.#base = base;
    this.#descriptor = descriptor;
  }

  /**
   * Opens a folder.
   *
   * On Linux all later steps go by the descriptor (`/proc/self/fd/N/name`), which stays with the folder that
   * was checked even if a link is put in its place. Elsewhere they go by its path, and a folder that is swapped
   * between {@link isStillThere} and the system call that follows it is not noticed.
   *
   * @throws A system error where there is no such folder, or it may not be opened.
   */
  static async open(path: string): Promise<Folder> {
    if (process.platform === 'win32') {
      // Windows opens no folders.
      return new Folder(await disk.realpath(path), path, undefined);
    }
    const descriptor = await disk.open(path, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      const there = whereIs(descriptor);
      if (there !== undefined) return new Folder(there, descriptorPath(descriptor), descriptor);
      const real = await disk.realpath(path);
      return new Folder(real, real, descriptor);
    } catch (error) {
      forget(descriptor);
      throw error;
    }
  }

  /** A path to an entry of this folder, or with `.` to itself, for system calls: not to be shown to anybody. */
  at(entry: string): string {
    return join(this.#base, entry);
  }

  /** Is the folder still where it was when it was checked? No, where it was moved, removed or replaced by a link. */
  async isStillThere(): Promise<boolean> {
    const byDescriptor = this.#descriptor !== undefined && this.#base !== this.path;
    const now = byDescriptor
      ? whereIs(this.#descriptor)
      : await disk.realpath(this.path).catch(() => undefined);
    return now === this.path;
  }

  /** Flushes the folder's entries to the disk, where the system can do that to a folder. */
  async flush(): Promise<void> {
    if (this.#descriptor === undefined) return;
    try {
      await disk.fsync(this.#descriptor);
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
    if (this.#descriptor !== undefined) forget(this.#descriptor);
  }
}

/** Where an image goes: an entry of a folder that is inside the save path. */
export interface Target {
  readonly folder: Folder;
  /** The last part of the name. */
  readonly entry: string;
}

/**
 * Checks a name against every rule that needs no file system.
 *
 * @param name The decoded value of `name=`.
 * @returns The parts of the path, one at least.
 * @throws SaveError `name-invalid`, or `unknown-extension` where no image format has the extension.
 */
export function checkName(name: string): string[] {
  const parts = name.split('/');
  for (const part of parts) {
    const fault = faultOf(part);
    if (fault !== undefined) throw new SaveError('name-invalid', `Choose another name: ${fault}.`);
  }
  if (formatOfName(name) === 'unknown') {
    throw new SaveError(
      'unknown-extension',
      'Give the name the extension of an image format that can be saved, as in shoe.jpg, or none.',
    );
  }
  return parts;
}

function faultOf(part: string): string | undefined {
  if (part === '')
    return 'it must be relative to the save folder, with one / between its parts and none at its ends';
  if (part.startsWith('.')) return 'no part of it may start with a dot';
  if (/[. ]$/.test(part)) return 'no part of it may end with a dot or a space';
  if (part.includes('\\')) return 'write / between its parts, not a backslash';
  if (part.includes(':')) return 'it may not contain a colon';
  if (CONTROL_CHARACTER.test(part)) return 'it may not contain control characters';
  // Windows drops the spaces before the extension: "con .jpg" is the console.
  if (DEVICE_NAME.test((part.split('.', 1)[0] ?? '').trimEnd()))
    return 'a part of it is the name of a Windows device';
  if (Buffer.byteLength(part) > LONGEST_PART) return `no part of it may be longer than ${LONGEST_PART} bytes`;
  return undefined;
}

/**
 * Finds the place that a name stands for and looks whether it can be saved to.
 *
 * The caller closes the folder. What is found here may change before the image is published, so publishing
 * relies on the folder's descriptor and on `rename` or `link`, not on this look; it spares the renderer work.
 *
 * @param savePath An absolute path.
 * @param parts A checked name, from {@link checkName}.
 * @throws SaveError The save path or the folder is missing, outside, or not writable, or the name is taken.
 */
export async function openTarget(
  savePath: string,
  parts: readonly string[],
  options: { readonly overwrite: boolean },
): Promise<Target> {
  const folders = parts.slice(0, -1);
  const entry = parts.at(-1) ?? '';
  const path = [savePath, ...folders, '.'].join(sep);
  // All at once: one after the other, they would take as long as publishing does. The last two go by the path, which may
  // lead elsewhere by now, but all that they can do is to spare the renderer its work.
  const [opened, writable, taken] = await Promise.allSettled([
    openInside(savePath, folders),
    disk.access(path, constants.W_OK | constants.X_OK),
    disk.lstat(join(path, entry)).catch(ignoreMissing),
  ]);
  if (opened.status === 'rejected') throw fileSystemError(opened.reason);
  const folder = opened.value;
  try {
    if (writable.status === 'rejected') throw writable.reason;
    if (taken.status === 'rejected') throw taken.reason;
    checkTaken(taken.value, options.overwrite);
    return { folder, entry };
  } catch (error) {
    folder.close();
    throw fileSystemError(error);
  }
}

/** Opens a folder that is really inside the save path, every link followed. */
async function openInside(savePath: string, folders: readonly string[]): Promise<Folder> {
  // The dot at its end finds a file that stands where the folder should.
  const itself = savePath + sep + '.';
  if (folders.length === 0) return Folder.open(itself).catch(throwSavePathError);
  const direct = await Folder.open(join(itself, ...folders)).catch(() => undefined);
  // A real path below the save path: then no part of the save path is a link, and there is nothing to look up.
  if (direct !== undefined && isInside(direct.path, savePath)) return direct;
  direct?.close();
  const root = await disk.realpath(itself).catch(throwSavePathError);
  const folder = await Folder.open(join(root, ...folders));
  if (isInside(folder.path, root)) return folder;
  folder.close();
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

function checkTaken(entry: Stats | undefined, overwrite: boolean): void {
  if (entry === undefined) return;
  // A link is an entry of its own: it is replaced, wherever it leads.
  if (!entry.isFile() && !entry.isSymbolicLink()) {
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
