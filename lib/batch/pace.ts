// How fast a batch goes: how many requests may be in flight, how long a job waits, and when the batch gives up.
import { dirname } from 'node:path/posix';
import type { Outcome } from './outcome.js';
import { GaveUpError, type SaveResult } from './types.js';

/** A refusal lowers the limit to this part of it. */
const DECREASE = 0.75;
/** Added to the limit after `limit` successes: slowly, because the next refusal is the price of too much. */
const INCREASE = 0.25;

/**
 * A limit on the requests in flight that follows the server: additive increase, multiplicative decrease, as TCP has it.
 * It starts at the maximum, since most servers take that.
 */
export class Pace {
  #limit: number;
  #resumeAt = 0;
  /** How often the limit was lowered. The number when a request is sent is for {@link record}. */
  decreases = 0;

  constructor(private readonly max: number) {
    this.#limit = max;
  }

  /** Requests that may be in flight now, 1 or more. */
  get limit(): number {
    return Math.floor(this.#limit);
  }

  /** Milliseconds until the server wants to hear from this client again; 0 where it may be now. */
  remainingPause(now = performance.now()): number {
    return Math.max(0, this.#resumeAt - now);
  }

  /** @param decreases Those before the request was sent. */
  record(outcome: Outcome, decreases: number, now = performance.now()): void {
    if (outcome.isRateLimit === true)
      this.#resumeAt = Math.max(this.#resumeAt, now + (outcome.retryAfter ?? 0));
    if (outcome.isBusy === true) {
      // Requests from before the last decrease say nothing about the limit of now.
      if (decreases !== this.decreases) return;
      this.#limit = Math.max(1, this.#limit * DECREASE);
      this.decreases++;
    } else if (outcome.result.status === 'done') {
      this.#limit = Math.min(this.max, this.#limit + INCREASE / this.#limit);
    }
  }
}

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

/** The batch gives up after this many consecutive failures that would meet every other job too. */
const MAX_IN_A_ROW = 10;

const CONCERNS_EVERY_JOB = new Set([
  'saving-disabled',
  'not-authorized',
  'save-path-missing',
  'store-missing',
  'not-a-reply',
  'http-401',
  'connection-refused',
  'host-not-found',
  'host-unreachable',
  'tls-failed',
  'folder-missing',
]);

/** Errors that do so while nothing is done: dropped connections, redirects to a login. Later, they may be an outage. */
const CONCERNS_EVERY_JOB_AT_FIRST = /^(?:connection-broken|no-reply|http-(?:[13]\d\d|403|407|502|503|504))$/;

export class FailureRow {
  readonly #folders = new Set<string>();
  #count = 0;
  #hasDone = false;

  /** @returns Why the batch should give up, or undefined. */
  add({ status, name, code = '', message = '' }: SaveResult): GaveUpError | undefined {
    this.#hasDone ||= status === 'done';
    const isOutage = !this.#hasDone && CONCERNS_EVERY_JOB_AT_FIRST.test(code);
    this.#count = isOutage || CONCERNS_EVERY_JOB.has(code) ? this.#count + 1 : 0;
    if (this.#count === 0) this.#folders.clear();
    if (code === 'folder-missing') this.#folders.add(dirname(name));
    if (this.#count < MAX_IN_A_ROW) return undefined;
    return new GaveUpError(code, message, code === 'folder-missing' ? [...this.#folders] : []);
  }
}
