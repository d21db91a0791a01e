// What the clock of a store says, learnt from the `Date` of its answers: the time of an object without asking for it.

/** How long what was learnt is relied on, in milliseconds: clocks are set, and drift. */
const LEARNT_FOR = 60_000;

/**
 * How far from the turn of a second an exchange must keep, in milliseconds. The `Date` of an answer may be read from a
 * clock that ticks some milliseconds late, and the time of an object from one that does not.
 */
const SLACK = 20;

/** When a request went to the store and when its answer came, readings of `performance.now()`, and what it said. */
export interface Exchange {
  readonly sent: number;
  readonly answered: number;
  /** The `Date` of the answer, whole seconds in milliseconds since 1970. */
  readonly date: number;
}

/**
 * The clock of a store. It shows whole seconds only, in the `Date` of each answer, and so do the times of its objects.
 *
 * An object that is made by a request gets a time between the arrival of the request and the answer. Where the store's
 * clock showed the same second all along, that second is the object's time, and nobody has to ask for it. What the
 * clock showed follows from the answers before: a request that went at our time S and was answered at A by the date D
 * proves that the store is ahead of us by D − A at least and by D + 1000 − S at most; of many such, little is left
 * between the two.
 */
export class StoreClock {
  /** By how much the store's clock is ahead of ours, at least and at most. */
  #least = -Infinity;
  #most = Infinity;
  #learnt = -Infinity;
  #trusted = true;

  /** Learns from an answer. */
  learn({ sent, answered, date }: Exchange): void {
    const [least, most] = [date - answered, date + 1000 - sent];
    // The store's clock was set, or it is another one's: what was learnt cannot be so any more.
    const wrong = least > this.#most || most < this.#least;
    if (wrong || answered - this.#learnt > LEARNT_FOR) {
      [this.#least, this.#most, this.#learnt] = [least, most, answered];
    } else {
      [this.#least, this.#most] = [Math.max(this.#least, least), Math.min(this.#most, most)];
    }
  }

  /** The time of the object that an exchange has made, or undefined where the store has to be asked. */
  timeOf({ sent, answered, date }: Exchange): number | undefined {
    if (!this.#trusted || answered - this.#learnt > LEARNT_FOR) return undefined;
    const within = sent + this.#least >= date + SLACK && answered + this.#most <= date + 1000 - SLACK;
    return within ? date : undefined;
  }

  /**
   * Compares the time that an object has got with the exchange that made it. A store whose objects have other times
   * than its answers is asked each time from now on.
   */
  compare({ sent, answered, date }: Exchange, time: number): void {
    if (time > date + 1000 || time < date - (answered - sent) - 1000) this.#trusted = false;
  }
}
