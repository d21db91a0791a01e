// Which failures end a batch: those that come in a row and would meet every other job too.
import { dirname } from 'node:path/posix';
import { GaveUpError, type SaveResult } from './types.js';

/** The batch gives up after this many consecutive failures that would affect every job. */
const MAX_IN_A_ROW = 10;

/** Errors that would meet every other job too. */
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

/**
 * Errors that would do so if nothing was done before: the server drops each connection, or something in front of it
 * redirects to a login or has lost it. Later they may be an outage that passes.
 */
const CONCERNS_EVERY_JOB_AT_FIRST = /^(?:connection-broken|no-reply|http-(?:[13]\d\d|403|407|502|503|504))$/;

/** Counts the failures in a row. */
export class FailureRow {
  readonly #folders = new Set<string>();
  #count = 0;
  #hasDone = false;

  /** @returns Why the batch should give up, or undefined. */
  add({ status, name, code = '', message = '' }: SaveResult): GaveUpError | undefined {
    this.#hasDone ||= status === 'done';
    const concernsAll =
      CONCERNS_EVERY_JOB.has(code) || (!this.#hasDone && CONCERNS_EVERY_JOB_AT_FIRST.test(code));
    this.#count = concernsAll ? this.#count + 1 : 0;
    if (this.#count === 0) this.#folders.clear();
    if (code === 'folder-missing') this.#folders.add(dirname(name));
    if (this.#count < MAX_IN_A_ROW) return undefined;
    return new GaveUpError(code, message, code === 'folder-missing' ? [...this.#folders] : []);
  }
}
