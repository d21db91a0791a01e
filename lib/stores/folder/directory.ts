// An open folder: all steps of a save use its fd, so a link that replaces the folder has no effect.
import fs, { constants } from 'node:fs';
import { join, sep } from 'node:path';
import { SaveError, systemCode } from '../../errors.js';
import { flushFolder } from '../../temp-files/flush.js';
import { fsCalls, ignoreUnnamedDrive } from '../../temp-files/fs.js';

/** Errors of systems and file systems that cannot flush folders. Windows has two, for opening one. */
const CANNOT_SYNC = /^(?:EINVAL|ENOTSUP|EOPNOTSUPP|ENOSYS|EISDIR|EBADF|EPERM|EACCES)$/;

export class DirectoryHandle {
  /**
   * @param fd Undefined on Windows, where an open folder could be neither moved nor removed.
   * @param path The path of the folder when it was opened, with all links resolved.
   * @param base What paths of entries begin with.
   */
  private constructor(
    private readonly fd: number | undefined,
    readonly path: string,
    private readonly base = path,
  ) {}

  // On Linux, later steps use the fd (`/proc/self/fd/N/name`), which stays with the checked folder even if a link
  // replaces it. Elsewhere they use the path, so a swap between `assertUnmoved` and the next system call goes
  // unnoticed. So they do under Node's permission model, which allows paths below a folder and no fds.
  static async open(path: string): Promise<DirectoryHandle> {
    if (process.platform === 'win32') {
      const real = await realPath(path);
      if ((await fsCalls.stat(real)).isDirectory()) return new DirectoryHandle(undefined, real);
      throw Object.assign(new Error('The path of a folder leads to a file'), { code: 'ENOTDIR' });
    }
    const fd = await fsCalls.open(path, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      const byFd = `/proc/self/fd/${fd}`;
      const real = readFdPath(byFd);
      if (real !== undefined && mayWriteBelow(byFd)) return new DirectoryHandle(fd, real, byFd);
      return new DirectoryHandle(fd, await realPath(path));
    } catch (error) {
      closeFd(fd);
      throw error;
    }
  }

  /** The path of an entry, or with `.` of the folder itself, for system calls only: it may name the fd. */
  join(basename: string): string {
    return join(this.base, basename);
  }

  /** @throws SaveError The folder is not where it was when it was opened: moved, removed or replaced by a link. */
  async assertUnmoved(): Promise<void> {
    const goesByFd = this.base !== this.path;
    if (goesByFd && readFdPath(this.base) === this.path) return;
    const hasLinks = (await realPath(this.path).catch(() => undefined)) !== this.path;
    // Where case is ignored, Linux may show the path of an fd as it was last spelled, by any process.
    if (hasLinks || (goesByFd && !(await this.isAtPath()))) throw new SaveError('folder-changed');
  }

  /** Whether the path leads to the open folder: then Linux shows the same path for both, in whatever spelling. */
  private async isAtPath(): Promise<boolean> {
    const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;
    const fd = await fsCalls.open(this.path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW).catch(() => undefined);
    const isSame = fd !== undefined && readFdPath(`/proc/self/fd/${fd}`) === readFdPath(this.base);
    closeFd(fd);
    return isSame;
  }

  /** Whether the folder is another one or below it, by their paths when they were opened. */
  isInside(root: string): boolean {
    return this.path === root || this.path.startsWith(root.endsWith(sep) ? root : root + sep);
  }

  /** Flushes the folder's entries to the disk, if the system can flush folders. */
  async sync(): Promise<void> {
    let opened: number | undefined;
    try {
      // Windows flushes a folder that is open for writing.
      const fd = this.fd ?? (opened = await fsCalls.open(this.path, 'r+'));
      await flushFolder(fd, this.join('.'));
    } catch (error) {
      if (!CANNOT_SYNC.test(systemCode(error) ?? '')) throw error;
    } finally {
      closeFd(opened);
    }
  }

  /** Closes the fd. Call this once. Never throws. */
  close(): void {
    closeFd(this.fd);
  }
}

async function realPath(path: string): Promise<string> {
  return (await fsCalls.realpath(path).catch(ignoreUnnamedDrive)) ?? fsCalls.resolveLinks(path);
}

/**
 * The current path of an open folder on Linux; undefined elsewhere. Synchronous, like {@link closeFd} alone: the kernel
 * answers from memory, and a promise would cost ten times as much.
 */
function readFdPath(byFd: string): string | undefined {
  try {
    return fs.readlinkSync(byFd);
  } catch {
    return undefined;
  }
}

/** A folder has no bytes to write back, so the call does not block. Never throws. */
function closeFd(fd: number | undefined): void {
  try {
    if (fd !== undefined) fs.closeSync(fd);
  } catch {
    // The fd was not open.
  }
}

function mayWriteBelow(path: string): boolean {
  // Undefined without the permission model.
  const { permission } = process as Partial<Pick<NodeJS.Process, 'permission'>>;
  return permission?.has('fs.write', join(path, 'name')) ?? true;
}
