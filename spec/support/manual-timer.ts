// Lets a spec decide when the time of a save is up.

/**
 * Takes the deadlines of saves with the options {@link LONG} from the clock. Each `expire` lets the next one pass.
 * `jest.restoreAllMocks` ends it.
 */
export function useManualDeadline(): { readonly expire: () => void } {
  const { setTimeout: real } = globalThis;
  const calls: (() => void)[] = [];
  const byHand = (call: () => void, delay?: number, ...args: []): NodeJS.Timeout => {
    // The deadline is the first timer that is that long; a store's limit after its commit is the next.
    if ((delay ?? 0) < 100_000) return real(call, delay, ...args);
    calls.push(call);
    return real(() => undefined, 0);
  };
  jest.spyOn(globalThis, 'setTimeout').mockImplementation(byHand);
  return {
    expire: () => {
      calls.shift()?.();
    },
  };
}

/** The options of a save whose deadline a spec decides. */
export const LONG = { timeout: 600_000 };
