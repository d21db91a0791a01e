// Replaces the file-system calls of lib/ for a spec. `jest.restoreAllMocks` ends it.
import { fsCalls } from '../../lib/temp-files/fs.js';

type Call = (...args: unknown[]) => Promise<unknown>;

/**
 * Replaces one call.
 *
 * @param instead Gets the original call, with its arguments bound, and the arguments.
 */
export function interceptFsCall(
  name: keyof typeof fsCalls,
  instead: (real: () => Promise<unknown>, ...args: unknown[]) => Promise<unknown>,
): jest.SpyInstance<Promise<unknown>, unknown[]> {
  const calls = fsCalls as unknown as Record<string, Call>;
  const original: Call = fsCalls[name] as Call;
  return jest.spyOn(calls, name).mockImplementation((...args) => instead(() => original(...args), ...args));
}
