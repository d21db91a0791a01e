// An open folder: all steps of a save use its fd, so a link that replaces the folder has no effect.
import { constants } from 'node:fs';
import { join } from 'node:path';
import { systemCode } from '../../errors.js';
import { flushFolder } from '../../temp-files/flush.js';
import { closeFdSync, fdPath, fsCalls, readFdPath } from '../../temp-files/fs.js';

/** `fsync` errors of file systems that cannot flush folders. */
const CANNOT_SYNC: ReadonlySet<string | undefined> = new Set([
  'EINVAL',
  'ENOTSUP',
  'EOPNOTSUPP',
  'ENOSYS',
  'EISDIR',
  'EBADF',
]);

/** The folder of a save. It stays open, so that an attacker cannot put another in its place. */
export class DirectoryHandle {
  /** The path of the folder when it was checked, with all links resolved. */
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
   * On Linux, later steps use the fd (`/proc/self/fd/N/name`), which stays with the checked folder even if a link
   * replaces it. Elsewhere they use the path, so a swap between {@link isUnmoved} and the next system call goes
   * unnoticed.
   *
   * @throws Error A system error: the folder is missing, or may not be opened.
   */
  static async open(path: string): Promise<DirectoryHandle> {
    if (process.platform === 'win32') {
      // Windows cannot open folders.
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

  /** The path of an entry, or with `.` of the folder itself, for system calls only: it may name the fd. */
  join(basename: string): string {
    return join(this.#base, basename);
  }

  /** Whether the folder is where it was when it was checked: not moved, removed or replaced by a link. */
  async isUnmoved(): Promise<boolean> {
    const goesByFd = this.#fd !== undefined && this.#base !== this.path;
    const now = goesByFd ? readFdPath(this.#fd) : await fsCalls.realpath(this.path).catch(() => undefined);
    return now === this.path;
  }

  /** Flushes the folder's entries to the disk, if the system can flush folders. */
  async sync(): Promise<void> {
    if (this.#fd === undefined) return;
    try {
      await flushFolder(this.path, this.#fd);
    } catch (error) {
      if (!CANNOT_SYNC.has(systemCode(error))) throw error;
    }
  }

  /** Closes the fd. Call this once. Never throws. */
  close(): void {
    if (this.#fd !== undefined) closeFdSync(this.#fd);
  }
}
