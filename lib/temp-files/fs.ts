// The calls to the file system that every save makes. Node's promises of them, and its file handles, cost twice as much.
import fs from 'node:fs';
import { promisify } from 'node:util';

export const fsCalls = {
  access: promisify(fs.access),
  close: promisify(fs.close),
  fstat: promisify(fs.fstat),
  fsync: promisify(fs.fsync),
  link: promisify(fs.link),
  lstat: promisify(fs.lstat),
  open: promisify(fs.open),
  read: promisify(fs.read),
  realpath: promisify(fs.realpath.native),
  rename: promisify(fs.rename),
  unlink: promisify(fs.unlink),
  writev: promisify(fs.writev),
};

/** Linux: where a descriptor can be used in place of a path. */
export function fdPath(fd: number): string {
  return `/proc/self/fd/${fd}`;
}

/**
 * Where the file of a descriptor is now, on Linux; undefined elsewhere.
 *
 * Synchronous, as is {@link closeFdSync} and nothing else: the kernel answers it from its own memory and asks no disk, so it
 * cannot block, and a promise of it would cost ten times as much. Nothing comes between it and the call that relies on it.
 */
export function readFdPath(fd: number): string | undefined {
  try {
    return fs.readlinkSync(fdPath(fd));
  } catch {
    return undefined;
  }
}

/**
 * Closes a folder that was opened to be reached by its descriptor. There is nothing to be written back, so the kernel
 * only strikes it off a list.
 */
export function closeFdSync(fd: number): void {
  try {
    fs.closeSync(fd);
  } catch {
    // It was not open.
  }
}
