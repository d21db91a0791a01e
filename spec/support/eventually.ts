// Waiting for what a test cannot await.
import { setTimeout } from 'node:timers/promises';

/** Waits for a condition. The test's own timeout ends the wait. */
export async function eventually(condition: () => boolean): Promise<void> {
  while (!condition()) await setTimeout(10);
}
