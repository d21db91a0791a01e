// Windows refuses to replace or remove a file that another program has open: such a call is tried again for a second.
import { SaveError, systemCode } from '../errors.js';

/** How Windows says that a file is in use. It uses the same errors for other refusals. */
const IN_USE: ReadonlySet<string | undefined> = new Set(['EPERM', 'EACCES', 'EBUSY']);

/** The first wait. Each further one is twice as long. */
const FIRST_WAIT_MS = 5;

/** All waits together, at most. */
const MAX_WAIT_MS = 1000;

/**
 * Makes a file-system call, on Windows again and again while the file is in use.
 *
 * @param call Changes nothing where it rejects with a system error.
 * @param beforeWait Called after each attempt that failed, unless it was the last.
 * @throws SaveError `file-in-use`: the file was in use until the end. All other errors are those of the call.
 */
export async function retryWhileInUse(call: () => Promise<void>, beforeWait?: () => void): Promise<void> {
  let left = MAX_WAIT_MS;
  for (let wait = FIRST_WAIT_MS; ; wait *= 2) {
    try {
      await call();
      return;
    } catch (error) {
      if (process.platform !== 'win32' || !IN_USE.has(systemCode(error))) throw error;
      if (left === 0) throw new SaveError('file-in-use', {}, error);
    }
    beforeWait?.();
    const milliseconds = Math.min(wait, left);
    left -= milliseconds;
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
  }
}
