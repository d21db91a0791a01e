// Flushes of files and folders, a few at a time: a slow disk must not hold every thread that the host needs.
import { fsCalls } from './fs.js';

/** Threads of Node's pool, which serve every file of the host too. (Node.js documentation, UV_THREADPOOL_SIZE.) */
const POOL_THREADS = Math.max(1, Number(process.env['UV_THREADPOOL_SIZE'] ?? 4) || 4);

/** A flush holds a thread until the disk is done, so one thread stays free of flushes. */
const MAX_FLUSHES = Math.max(1, POOL_THREADS - 1);

let running = 0;
const waiting: (() => void)[] = [];

/** Resolves when the bytes of a file are on the disk. */
export async function flushFile(fd: number): Promise<void> {
  if (running < MAX_FLUSHES) running += 1;
  // The flush that ends passes its turn on.
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
  /** Begins when the current one has ended. */
  next: Promise<void> | undefined;
}

/** The folders that are being flushed, by path. */
const folders = new Map<string, FolderFlushes>();

/**
 * Resolves when the entries of a folder are on the disk. One flush of a folder runs at a time; all saves that are
 * published meanwhile share the next.
 *
 * @param path Tells folders apart.
 * @param fd The caller keeps it open until the promise settles.
 */
export function flushFolder(path: string, fd: number): Promise<void> {
  const flushes = folders.get(path);
  if (flushes === undefined) return begin(path, fd);
  // A flush that has begun may have missed an entry that was made since.
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
