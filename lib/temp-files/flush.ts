// Flushes files and folders. Saves to one folder share its flush.
import { occupyThread } from '../thread-pool.js';
import { fsCalls } from './fs.js';

/** Resolves when the bytes of a file are on the disk. */
export function flushFile(fd: number): Promise<void> {
  return occupyThread(() => fsCalls.fsync(fd));
}

interface FolderFlushes {
  current: Promise<void>;
  /** The next flush, which begins after the current one. */
  next: Promise<void> | undefined;
}

/** The folders that are being flushed, by path. */
const folders = new Map<string, FolderFlushes>();

/**
 * Resolves when the entries of a folder are on the disk. One flush of a folder runs at a time; all saves that are
 * published meanwhile share the next.
 *
 * @param path Identifies the folder.
 * @param fd The caller keeps it open until the promise settles.
 */
export function flushFolder(path: string, fd: number): Promise<void> {
  const flushes = folders.get(path);
  if (flushes === undefined) return begin(path, fd);
  // A flush in progress may miss an entry that was created after its start.
  flushes.next ??= flushes.current.then(
    () => begin(path, fd),
    () => begin(path, fd),
  );
  return flushes.next;
}

function begin(path: string, fd: number): Promise<void> {
  const current = flushFile(fd);
  const flushes: FolderFlushes = { current, next: undefined };
  folders.set(path, flushes);
  const end = (): void => {
    if (flushes.next === undefined) folders.delete(path);
  };
  current.then(end, end);
  return current;
}
