// Checks promises of the middleware. A broken promise is an error of its own class.

export class BrokenPromise extends Error {
  override readonly name = 'BrokenPromise';
}

/** Throws a {@link BrokenPromise} where the condition is false. */
export function assertPromise(condition: boolean, otherwise: string): asserts condition {
  if (!condition) throw new BrokenPromise(otherwise);
}

/** How long {@link eventually} waits, in milliseconds. It only delays the report of a failure. */
let waitTimeout = 60_000;

/** Sets how long {@link eventually} waits, for checks that are expected to fail. */
export function setWaitTimeout(milliseconds: number): void {
  waitTimeout = milliseconds;
}

/** Waits until a condition holds, which it must. */
export async function eventually(
  condition: () => boolean | Promise<boolean>,
  otherwise: string | (() => string),
): Promise<void> {
  const end = performance.now() + waitTimeout;
  while (!(await condition())) {
    assertPromise(performance.now() < end, typeof otherwise === 'string' ? otherwise : otherwise());
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
