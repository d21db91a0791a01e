// The deadline, the client's disconnect and every failure → one AbortSignal, with a SaveError as its reason.
import { SaveError } from '../errors.js';

/** Ends a save whose deadline has passed, whose client has disconnected, or which has failed. */
export class Cancellation {
  /** Rejects with the reason of {@link signal}, or after {@link commit} with `store-no-response`. Needs no handler. */
  readonly aborted: Promise<never>;
  /** When the save times out, a reading of `performance.now()`. */
  deadline = Infinity;
  readonly #controller = new AbortController();
  #reject: (reason: SaveError) => void = () => undefined;
  #timer: NodeJS.Timeout | undefined;
  /** The time limit, for the message. Milliseconds. */
  #timeout = 0;
  #armed = true;
  /** The first reason that came after {@link commit}. */
  #late: SaveError | undefined;

  constructor() {
    this.aborted = new Promise((_, reject) => {
      this.#reject = reject;
    });
    this.aborted.catch(() => undefined);
  }

  /** Aborts at most once, with the first reason, and only while armed. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** @param timeout Milliseconds since the command arrived, at `since`, a reading of `performance.now()`. */
  startTimer(timeout: number, since: number): void {
    this.#timeout = timeout;
    this.deadline = since + timeout;
    if (this.#armed) this.#watchDeadline();
  }

  #watchDeadline(): void {
    const left = this.deadline - performance.now();
    if (left <= 0) this.#expire();
    else if (left < Infinity) this.#timer = setTimeout(this.#expire, Math.max(1, left));
  }

  readonly #expire = (): void => {
    this.abort(new SaveError('timeout', { timeout: this.#timeout }));
  };

  /** Ends the save for this reason, unless it has ended or is past {@link commit}. */
  abort(error: SaveError): void {
    if (!this.#armed) {
      this.#late ??= error;
      return;
    }
    this.disarm();
    this.#reject(error);
    this.#controller.abort(error);
  }

  /**
   * The point of no return: from here on nothing ends the save. A second call does no harm.
   *
   * @param patience Milliseconds after which {@link aborted} rejects, for a store that never settles.
   * @throws SaveError The save has ended already.
   */
  commit(patience: number): void {
    // The timer comes late where the event loop was blocked, so the clock is read once more.
    if (performance.now() >= this.deadline) this.#expire();
    this.signal.throwIfAborted();
    if (!this.#armed) return;
    this.disarm();
    this.#timer = setTimeout(() => {
      this.#reject(new SaveError('store-no-response'));
    }, patience);
  }

  /** Takes {@link commit} back. Where there has been a reason since, the save ends now. */
  rollback(): void {
    if (this.#armed || this.signal.aborted) return;
    this.disarm();
    this.#armed = true;
    if (this.#late !== undefined) this.abort(this.#late);
    else this.#watchDeadline();
  }

  /** From here on nothing aborts, but for {@link rollback}. */
  disarm(): void {
    this.#armed = false;
    clearTimeout(this.#timer);
  }
}
