// Admission: limits the saves in progress and the waiting saves, and refuses a save that cannot end in time.
import { enqueue, type Waiter } from '../abort.js';
import { SaveError } from '../errors.js';
import { AutoLimit, type Running } from './auto-limit.js';
import type { Settings } from './options.js';

export type AdmissionOptions = Pick<Settings, 'concurrency' | 'maxQueue'>;

/** The right of one save to be in progress. */
export interface Slot {
  /** The save has been rendered and inspected, so it may make room for the next one. */
  startPublishing(): void;
  /**
   * Gives the slot to the next save. Only the first call counts.
   *
   * @param outcome How the save ended. A failed save says nothing about how long saves take.
   */
  release(outcome: 'done' | 'timeout' | 'failed'): void;
}

interface WaitingSave {
  /** When its save times out, a reading of `performance.now()`. */
  readonly deadline: number;
  /** Milliseconds until then when it came. */
  readonly timeLimit: number;
}

/** The number of recent saves that the rate and the longest time follow. */
const RECENT_SAVES = 32;
/** How often waiting saves are looked at while no save ends, in milliseconds. */
const POLL_MS = 50;

/** Admits saves, first come, first served. */
export class Admission {
  readonly #maxQueue: number;
  readonly #fixedLimit: number;
  readonly #auto: AutoLimit | undefined;
  readonly #queue = new Set<WaitingSave & Waiter<Slot>>();
  #timer: NodeJS.Timeout | undefined;
  #running = 0;
  /** Average milliseconds between the ends of two saves; if none waits, the time of one save ÷ the limit. */
  #interval = 0;
  #intervals = 0;
  /** The last end of a save, or when saves began to wait if that was later. */
  #lastEnd = 0;
  /** Milliseconds of the longest recent save, from admission to end. */
  #longest = 0;

  constructor({ concurrency, maxQueue }: AdmissionOptions) {
    this.#maxQueue = maxQueue;
    this.#auto = concurrency === 'auto' ? new AutoLimit() : undefined;
    this.#fixedLimit = concurrency === 'auto' ? Infinity : concurrency;
  }

  /** Saves in progress. */
  get running(): number {
    return this.#running;
  }

  /** Saves that wait for a slot. */
  get waiting(): number {
    return this.#queue.size;
  }

  /**
   * Gives a save its slot, now or when it is its turn.
   *
   * @param deadline When the save times out, a reading of `performance.now()`.
   * @param signal Removes a waiting save from the queue when it aborts.
   * @throws SaveError `too-busy`: the queue is full, or at the rate at which saves have been ending this one could not
   * end before its deadline. Otherwise the reason of the signal.
   */
  admit(deadline: number, signal: AbortSignal): Slot | Promise<Slot> {
    this.poll();
    const waiting = this.#queue.size;
    if (waiting === 0 && this.#hasRoom) return this.#start();
    const now = performance.now();
    const timeLimit = deadline - now;
    const comesTooLate = (waiting + 1) * this.#interval + this.#renderTime(timeLimit) >= timeLimit;
    // The rate is an estimate. A few saves always wait, so that it can turn out to be wrong.
    const isDoubtful = this.#auto !== undefined && waiting < this.#auto.limit;
    if (waiting >= this.#maxQueue || (comesTooLate && !isDoubtful)) throw this.#tooBusy();
    if (waiting === 0) this.#lastEnd = now;
    const slot = enqueue(this.#queue, { deadline, timeLimit }, signal);
    if (this.#auto !== undefined) this.#timer ??= setInterval(this.poll.bind(this), POLL_MS).unref();
    return slot;
  }

  /** Fills the free slots from the queue, and refuses saves that have waited too long. */
  poll(): void {
    for (const waiter of this.#queue) {
      if (!this.#hasRoom) return;
      this.#queue.delete(waiter);
      // Rendering for a save that cannot end in time would delay the saves behind it.
      const isTooLate = performance.now() + this.#renderTime(waiter.timeLimit) > waiter.deadline;
      if (isTooLate) waiter.reject(this.#tooBusy());
      else waiter.resolve(this.#start());
    }
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  get #hasRoom(): boolean {
    return this.#auto?.makeRoom(performance.now()) ?? this.#running < this.#fixedLimit;
  }

  /** The milliseconds that a save needs in its slot: the longest recent time, from a quarter to half of its time limit. */
  #renderTime(timeLimit: number): number {
    return Math.min(timeLimit / 2, Math.max(timeLimit / 4, this.#longest));
  }

  #start(): Slot {
    this.#running += 1;
    const save: Running = { startedAt: performance.now() };
    this.#auto?.start(save);
    let released = false;
    return {
      startPublishing: () => {
        if (released) return;
        this.#auto?.startPublishing(save, performance.now());
        this.poll();
      },
      release: (outcome) => {
        if (released) return;
        released = true;
        this.#measure(performance.now(), save, outcome);
        this.#running -= 1;
        this.poll();
      },
    };
  }

  #measure(now: number, save: Running, outcome: 'done' | 'timeout' | 'failed'): void {
    const milliseconds = now - save.startedAt;
    // With a fixed limit, a save that times out has held its slot, so its time counts, but only upwards: `timeout=1` must
    // not make saves look fast.
    const isSlow = outcome === 'timeout' && this.#auto === undefined && milliseconds > this.#longest;
    const isMeasure = outcome === 'done' || isSlow;
    if (isMeasure) this.#longest = Math.max(milliseconds, this.#longest * (1 - 1 / RECENT_SAVES));
    const othersWait = this.#queue.size > 0;
    if ((othersWait || isMeasure) && this.#auto?.isUnusual !== true) {
      this.#intervals = Math.min(this.#intervals + 1, RECENT_SAVES);
      const limit = this.#auto?.limit ?? this.#fixedLimit;
      const interval = othersWait ? now - this.#lastEnd : milliseconds / limit;
      this.#interval += (interval - this.#interval) / this.#intervals;
    }
    this.#lastEnd = now;
    this.#auto?.end(save, outcome, now);
  }

  /** The refusal, with the seconds until the current queue is empty. */
  #tooBusy(): SaveError {
    const milliseconds = this.#queue.size * this.#interval + this.#longest;
    return new SaveError('too-busy', { retryAfter: Math.max(1, Math.ceil(milliseconds / 1000)) });
  }
}
