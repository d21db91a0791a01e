// The file-system calls of a save. Promisified callbacks cost half of what `node:fs/promises` and file handles cost.
import fs from 'node:fs';
import { promisify } from 'node:util';
import { SaveError, systemCode } from '../errors.js';

export const fsCalls = {
  access: promisify(fs.access),
  close: promisify(fs.close),
  fstat: promisify(fs.fstat),
  fsync: promisify(fs.fsync),
  link: promisify(fs.link),
  lstat: promisify(fs.lstat),
  mkdir: promisify(fs.mkdir),
  open: promisify(fs.open),
  read: promisify(fs.read),
  readdir: promisify(fs.readdir),
  realpath: promisify(fs.realpath.native),
  rename: promisify(fs.rename),
  /** As `realpath`, but the spelling of the path stays. */
  resolveLinks: promisify(fs.realpath),
  stat: promisify(fs.stat),
  unlink: promisify(fs.unlink),
  // By hand: Deno does not tell `promisify` the name of the result.
  writev: (fd: number, buffers: readonly Uint8Array[], position: number) =>
    new Promise<{ bytesWritten: number }>((resolve, reject) => {
      fs.writev(fd, buffers, position, (error, bytesWritten) => {
        if (error) reject(error);
        else resolve({ bytesWritten });
      });
    }),
};

/** For `catch`: a missing file or folder counts as undefined. */
export function ignoreMissing(error: unknown): undefined {
  if (systemCode(error) !== 'ENOENT') throw error;
}

/** For `catch` of `realpath`: undefined on drives that Windows cannot name, such as RAM disks and those of rclone. */
export function ignoreUnnamedDrive(error: unknown): undefined {
  if (!['EISDIR', 'UNKNOWN'].includes(systemCode(error) ?? '')) throw error;
}

/** How Windows says that another program has a file open. It uses the same errors for other refusals. */
const IN_USE = ['EPERM', 'EACCES', 'EBUSY'];

/** Each but the last is twice as long as the one before; all together last a second. */
const WAITS_MS = [5, 10, 20, 40, 80, 160, 320, 365];

/**
 * Replaces or removes a file, on Windows again and again while it is in use.
 *
 * @param beforeWait Called after each attempt that failed and changed nothing, unless it was the last.
 * @throws SaveError `file-in-use`. All other errors are those of the call.
 */
export async function retryWhileInUse(call: () => Promise<void>, beforeWait?: () => void): Promise<void> {
  for (const wait of [...WAITS_MS, undefined]) {
    try {
      await call();
      return;
    } catch (error) {
      if (process.platform !== 'win32' || !IN_USE.includes(systemCode(error) ?? '')) throw error;
      if (wait === undefined) throw new SaveError('file-in-use', {}, error);
    }
    beforeWait?.();
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}
