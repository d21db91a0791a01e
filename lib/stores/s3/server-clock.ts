// What the clock of a store says, learnt from the `Date` of its answers: the time of an object without asking for it.

/** How long what was learnt is relied on, in milliseconds: clocks are set, and drift. */
const OFFSET_TTL_MS = 60_000;

/**
 * How far from the turn of a second an exchange must keep, in milliseconds. The `Date` of an answer may be read from a
 * clock that ticks some milliseconds late, and the time of an object from one that does not.
 */
const MARGIN_MS = 20;

/** When a request went to the store and when its answer came, readings of `performance.now()`, and what it said. */
export interface RoundTrip {
  readonly sentAt: number;
  readonly receivedAt: number;
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
export class ServerClock {
  /** By how much the store's clock is ahead of ours, at least and at most. */
  #minOffset = -Infinity;
  #maxOffset = Infinity;
  #observedAt = -Infinity;
  #trusted = true;

  /** Learns from an answer. */
  observe({ sentAt, receivedAt, date }: RoundTrip): void {
    const [least, most] = [date - receivedAt, date + 1000 - sentAt];
    // The store's clock was set, or it is another one's: what was learnt cannot be so any more.
    const wrong = least > this.#maxOffset || most < this.#minOffset;
    if (wrong || receivedAt - this.#observedAt > OFFSET_TTL_MS) {
      [this.#minOffset, this.#maxOffset, this.#observedAt] = [least, most, receivedAt];
    } else {
      [this.#minOffset, this.#maxOffset] = [
        Math.max(this.#minOffset, least),
        Math.min(this.#maxOffset, most),
      ];
    }
  }

  /** The time of the object that an exchange has made, or undefined where the store has to be asked. */
  estimateTime({ sentAt, receivedAt, date }: RoundTrip): number | undefined {
    if (!this.#trusted || receivedAt - this.#observedAt > OFFSET_TTL_MS) return undefined;
    const within =
      sentAt + this.#minOffset >= date + MARGIN_MS && receivedAt + this.#maxOffset <= date + 1000 - MARGIN_MS;
    return within ? date : undefined;
  }

  /**
   * Compares the time that an object has got with the exchange that made it. A store whose objects have other times
   * than its answers is asked each time from now on.
   */
  verify({ sentAt, receivedAt, date }: RoundTrip, time: number): void {
    if (time > date + 1000 || time < date - (receivedAt - sentAt) - 1000) this.#trusted = false;
  }
}
