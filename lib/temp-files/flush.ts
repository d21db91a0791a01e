// Flushes files and folders. Saves to one folder share its flush.
import { open } from 'node:fs/promises';
import { systemCode } from '../errors.js';
import { occupyThread } from '../thread-pool.js';
import { fsCalls } from './fs.js';

/** @param path Leads to the same file or folder as the fd. */
export function flushFile(fd: number, path: string): Promise<void> {
  return occupyThread(async () => {
    try {
      await fsCalls.fsync(fd);
    } catch (error) {
      // Node's permission model forbids `fsync` of a descriptor, but not of a file handle.
      if (systemCode(error) !== 'ERR_ACCESS_DENIED') throw error;
      const handle = await open(path);
      await handle.sync().finally(() => handle.close());
    }
  });
}

/** The flush in progress of each folder, and the next one. By device and inode, since another folder may take the path. */
const folders = new Map<string, { readonly current: Promise<void>; next?: Promise<void> }>();

/** One flush of a folder runs at a time; all saves that are published meanwhile share the next. */
export async function flushFolder(fd: number, path: string): Promise<void> {
  const { dev, ino } = await fsCalls.fstat(fd, { bigint: true });
  const key = `${dev}:${ino}`;
  const begin = (): Promise<void> => {
    const current = flushFile(fd, path).finally(() => {
      if (folders.get(key)?.next === undefined) folders.delete(key);
    });
    folders.set(key, { current });
    return current;
  };
  const flushes = folders.get(key);
  // A flush in progress may miss an entry that was created after its start.
  return flushes === undefined ? begin() : (flushes.next ??= flushes.current.then(begin, begin));
}
