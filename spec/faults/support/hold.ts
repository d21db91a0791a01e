// What a check says when the promise that it checks is broken: an error of its own, not to be mixed up with any other.

/** A broken promise. */
export class Violation extends Error {
  override readonly name = 'Violation';
}

/** Goes on only where the condition holds. */
export function hold(condition: boolean, otherwise: string): asserts condition {
  if (!condition) throw new Violation(otherwise);
}

/** How long something that must come is waited for. Nothing depends on it but how soon a failure is told. */
let patience = 60_000;

/** Waits no longer than this: for those who know that what they wait for will not come. */
export function bePatientFor(milliseconds: number): void {
  patience = milliseconds;
}

/** Waits for a condition that must come true. */
export async function eventually(
  condition: () => boolean | Promise<boolean>,
  otherwise: string | (() => string),
): Promise<void> {
  const end = performance.now() + patience;
  while (!(await condition())) {
    hold(performance.now() < end, typeof otherwise === 'string' ? otherwise : otherwise());
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
