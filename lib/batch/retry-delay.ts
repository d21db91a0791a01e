// How long to wait before the next attempt.
import type { Outcome } from './outcome.js';

const FIRST_DELAY_MS = 500;
const MAX_DELAY_MS = 30_000;

/** The longest wait for a server that has never replied: its address may be wrong, and then nothing helps. */
const MAX_FIRST_CONTACT_DELAY_MS = 1000;

/**
 * Doubles with each attempt, less a random part of up to half, so that many jobs do not come back at the same time.
 *
 * @param attempts Requests that were sent for this job.
 * @param hasReplied Whether any server of this batch has replied yet.
 * @returns Milliseconds, never less than the server asks for.
 */
export function retryDelay(
  attempts: number,
  outcome: Outcome,
  hasReplied: boolean,
  random = Math.random,
): number {
  const max = hasReplied ? MAX_DELAY_MS : MAX_FIRST_CONTACT_DELAY_MS;
  const delay = Math.min(max, FIRST_DELAY_MS * 2 ** (attempts - 1));
  return Math.max(outcome.retryAfter ?? 0, delay * (1 - random() / 2));
}
