// Admission: limits the saves in progress and the waiting saves, and refuses a save that cannot end in time.
import { SaveError } from '../errors.js';
import { AutoLimit } from './auto-limit.js';

/** The limits of {@link Admission}. */
export interface AdmissionOptions {
  /** Saves in progress at once: a whole number, `Infinity`, or `'auto'` for a limit that follows the renderer. */
  readonly concurrency: number | 'auto';
  /** Saves that may wait for a slot. */
  readonly maxQueue: number;
}

/** The right of one save to be in progress. */
export interface Slot {
  /**
   * Gives the slot to the next save. Only the first call counts.
   *
   * @param outcome How the save ended. A failed save does not count for the expected duration. One that timed out counts
   * with the time until then.
   */
  release(outcome: 'done' | 'timeout' | 'failed'): void;
}

interface Waiter {
  /** When its save times out, a reading of `performance.now()`. */
  readonly deadline: number;
  admit(slot: Slot): void;
  refuse(error: SaveError): void;
}

/** The share of its time limit that a save may be expected to take. The rest allows for slow saves. */
const USABLE_TIME = 0.75;

/** The number of recent saves that the mean duration follows. */
const AVERAGED_SAVES = 16;

/** Admits saves, first come, first served. */
export class Admission {
  readonly #maxQueue: number;
  readonly #fixedLimit: number;
  readonly #auto: AutoLimit | undefined;
  readonly #queue = new Set<Waiter>();
  #running = 0;
  /** Mean milliseconds of recent saves, from admission to end; 0 until the first has ended. */
  #saveTime = 0;
  #measuredSaves = 0;

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
   * @throws SaveError `too-busy`: the queue is full, or recent saves took so long that this one could not end before
   * its deadline. Otherwise the reason of the signal.
   */
  admit(deadline: number, signal: AbortSignal): Slot | Promise<Slot> {
    if (this.#running < this.#limit && this.#queue.size === 0) return this.#start();
    const usableTime = USABLE_TIME * (deadline - performance.now());
    if (this.#queue.size >= this.#maxQueue || this.#timeToEnd(this.#queue.size + 1) > usableTime) {
      throw this.#tooBusy();
    }
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#queue.delete(waiter);
        reject(signal.reason as Error);
      };
      const waiter: Waiter = {
        deadline,
        admit(slot) {
          signal.removeEventListener('abort', leave);
          resolve(slot);
        },
        refuse(error) {
          signal.removeEventListener('abort', leave);
          reject(error);
        },
      };
      signal.addEventListener('abort', leave, { once: true });
      this.#queue.add(waiter);
    });
  }

  get #limit(): number {
    return this.#auto?.limit ?? this.#fixedLimit;
  }

  /** The expected milliseconds until the end of a save that starts after the given number of others. */
  #timeToEnd(after: number): number {
    const turns = this.#auto?.rising === true ? 1 : 1 + after / this.#limit;
    return turns * this.#saveTime;
  }

  #start(): Slot {
    this.#running += 1;
    const startedAt = performance.now();
    let released = false;
    return {
      release: (outcome) => {
        if (released) return;
        released = true;
        const milliseconds = performance.now() - startedAt;
        // A client that allows one millisecond must not make saves look fast.
        if (outcome === 'done' || (outcome === 'timeout' && milliseconds > this.#saveTime)) {
          this.#measure(milliseconds);
          this.#auto?.record(milliseconds, this.#running);
        }
        this.#running -= 1;
        this.#admitNext();
      },
    };
  }

  #measure(milliseconds: number): void {
    this.#measuredSaves = Math.min(this.#measuredSaves + 1, AVERAGED_SAVES);
    this.#saveTime += (milliseconds - this.#saveTime) / this.#measuredSaves;
  }

  /** Fills the free slots from the queue, and refuses saves that have waited too long. */
  #admitNext(): void {
    const now = performance.now();
    let ahead = 0;
    for (const waiter of this.#queue) {
      const isNext = this.#running < this.#limit;
      const usableTime = (isNext ? USABLE_TIME : 1) * (waiter.deadline - now);
      if (this.#timeToEnd(isNext ? 0 : ahead + 1) > usableTime) {
        // Rendering for a save that cannot end in time would delay the saves behind it.
        this.#queue.delete(waiter);
        waiter.refuse(this.#tooBusy());
      } else if (isNext) {
        this.#queue.delete(waiter);
        waiter.admit(this.#start());
      } else {
        ahead += 1;
      }
    }
  }

  /** The refusal, with the seconds until the current queue is empty. */
  #tooBusy(): SaveError {
    const milliseconds = this.#timeToEnd(this.#queue.size);
    return new SaveError('too-busy', { retryAfter: Math.max(1, Math.ceil(milliseconds / 1000)) });
  }
}
