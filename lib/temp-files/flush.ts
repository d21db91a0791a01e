// Flushes of files and folders, a few at a time, so that a slow disk does not occupy every thread of the host.
import { fsCalls } from './fs.js';

/** Threads of Node's pool, which serve every file of the host too. (Node.js documentation, UV_THREADPOOL_SIZE.) */
const POOL_THREADS = Math.max(1, Number(process.env['UV_THREADPOOL_SIZE'] ?? 4) || 4);

/** A flush occupies a thread until the disk is done, so one thread stays free of flushes. */
const MAX_FLUSHES = Math.max(1, POOL_THREADS - 1);

let running = 0;
const waiting: (() => void)[] = [];

/** Resolves when the bytes of a file are on the disk. */
export async function flushFile(fd: number): Promise<void> {
  if (running < MAX_FLUSHES) running += 1;
  // A flush that ends passes its slot to the next.
  else await new Promise<void>((resolve) => waiting.push(resolve));
  try {
    await fsCalls.fsync(fd);
  } finally {
    const next = waiting.shift();
    if (next === undefined) running -= 1;
    else next();
  }
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
