// Leaves one thread of Node's pool free of long work, so that a slow disk or large images do not stop the host's files.

/** Node's pool serves every file of the host, by 4 threads. (Node.js documentation, UV_THREADPOOL_SIZE.) */
const MAX_OCCUPIED = Math.max(1, (Number(process.env['UV_THREADPOOL_SIZE']) || 4) - 1);

let occupied = 0;
const waiting: (() => void)[] = [];

/** Runs work that occupies a thread of the pool, as soon as another one stays free. */
export async function occupyThread<Result>(work: () => Promise<Result>): Promise<Result> {
  if (occupied < MAX_OCCUPIED) occupied += 1;
  // Work that ends passes its thread to the next.
  else await new Promise<void>((resolve) => waiting.push(resolve));
  try {
    return await work();
  } finally {
    const next = waiting.shift();
    if (next === undefined) occupied -= 1;
    else next();
  }
}
