// For specs of what happens when the time of a save is up: takes the deadline from the clock.

/** The deadline of saves with a timeout of {@link LONG} comes when the test says so. `jest.restoreAllMocks` ends it. */
export function deadlineInHand(): { comes(): void } {
  const { setTimeout: real } = globalThis;
  let end = (): void => undefined;
  const byHand = (call: () => void, delay?: number, ...given: []): NodeJS.Timeout => {
    // Nothing else here waits that long.
    if ((delay ?? 0) < 100_000) return real(call, delay, ...given);
    end = call;
    return real(() => undefined, 0);
  };
  jest.spyOn(globalThis, 'setTimeout').mockImplementation(byHand);
  return {
    comes: () => {
      end();
    },
  };
}

/** The options of a save whose deadline is in hand. */
export const LONG = { timeout: 600_000 };
