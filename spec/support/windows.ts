// Windows for specs on every system: its errors for a file that another program has open.
import type { fsCalls } from '../../lib/temp-files/fs.js';
import { interceptFsCall } from './intercept-fs.js';

/** How Windows refuses to replace or remove a file that is in use. */
export const IN_USE_CODES = ['EPERM', 'EACCES', 'EBUSY'];

/** Lets the code under test run as on another system, in each test of a file or of a `describe`. */
export function usePlatform(platform: NodeJS.Platform): void {
  const own = Object.getOwnPropertyDescriptor(process, 'platform')!;
  beforeEach(() => {
    Object.defineProperty(process, 'platform', { ...own, value: platform });
  });
  afterEach(() => {
    Object.defineProperty(process, 'platform', own);
  });
}

/**
 * Lets a call fail as if another program had the file open. `jest.restoreAllMocks` ends it.
 *
 * @param attempts How many calls fail, from the first.
 * @returns A function that counts the calls.
 */
export function keepInUse(name: keyof typeof fsCalls, attempts: number, code = 'EPERM'): () => number {
  let calls = 0;
  interceptFsCall(name, (real) => {
    calls += 1;
    return calls > attempts ? real() : Promise.reject(Object.assign(new Error(code), { code }));
  });
  return () => calls;
}
