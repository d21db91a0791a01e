// For specs of what reaches the file system, and when: stands between lib/ and its calls. `jest.restoreAllMocks` ends it.
import { fsCalls } from '../../lib/temp-files/fs.js';

type Call = (...given: unknown[]) => Promise<unknown>;

/** Makes something of each use of a call: `real` lets it through, with what it was given. */
export function around(
  name: keyof typeof fsCalls,
  instead: (real: () => Promise<unknown>, ...given: unknown[]) => Promise<unknown>,
): jest.SpyInstance<Promise<unknown>, unknown[]> {
  const calls = fsCalls as unknown as Record<string, Call>;
  const original: Call = fsCalls[name] as Call;
  return jest
    .spyOn(calls, name)
    .mockImplementation((...given) => instead(() => original(...given), ...given));
}

/** Something that a spec makes happen, or waits for. */
export interface Moment {
  readonly come: Promise<void>;
  comes(): void;
}

export function moment(): Moment {
  let comes = (): void => undefined;
  const come = new Promise<void>((resolve) => {
    comes = resolve;
  });
  return { come, comes };
}

/** Lets everything run that waits for nothing outside. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
