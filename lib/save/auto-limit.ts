// How many saves at once suit a renderer: found by measuring how long saves take at the limit and well below it.

/** No limit is lower: with one save at a time, its disk and its renderer would wait for each other. */
const MIN_LIMIT = 2;
const MAX_LIMIT = 1000;
const INITIAL_LIMIT = 8;

/** A window is over after so many saves, or after as many as the limit if that is more: each slot has been used once. */
const MIN_WINDOW_SAVES = 8;

/** A probe lowers the limit to this part of it. */
const PROBE_PART = 1 / 3;

/** A save at the limit that takes so many times as long as in the last probe: the renderer is another one by now. */
const CHANGE_FACTOR = 3.5;

/** Windows between two probes: few at the start, when the limit is far from right, then twice as many each time. */
const FIRST_PROBE_AFTER = 2;
const MAX_WINDOWS_BETWEEN_PROBES = 32;

/**
 * A concurrency limit that follows the renderer.
 *
 * Saves are measured in windows. Now and then a probe, a window at a third of the limit, tells how long a save takes
 * when it does not compete with the others. After every other window the limit becomes
 *
 *     2 × saves in progress × (time of a save in the probe ÷ time of a save in the window) + 1
 *
 * A renderer that waits for something else takes as long either way: the limit doubles with each window. A renderer
 * that is bound by the CPU takes longer in proportion to the limit: the limit settles at about twice the number of
 * saves that it can work on. Means over whole windows keep a mix of cheap and expensive images from mattering. (Compare
 * the gradient limits of Netflix's concurrency-limits.)
 */
export class AutoLimit {
  #limit = INITIAL_LIMIT;
  /** Mean milliseconds of a save that does not compete: of the last probe, or of a faster window since. */
  #baseline = Infinity;
  #probing = false;
  #windowsUntilProbe = FIRST_PROBE_AFTER;
  #probeInterval = FIRST_PROBE_AFTER;
  #window = new Window();

  /** Saves that may be in progress now. */
  get limit(): number {
    return Math.max(MIN_LIMIT, Math.floor(this.#probing ? this.#limit * PROBE_PART : this.#limit));
  }

  /** The window to which a save that is admitted now belongs. */
  get window(): Window {
    return this.#window;
  }

  /**
   * Records a save that has ended.
   *
   * @param window The window in which the save was admitted. An earlier window had another limit, so its saves no
   * longer count.
   * @param milliseconds From its admission to its end.
   * @param running Saves in progress when it ended, itself included.
   */
  record(window: Window, milliseconds: number, running: number): void {
    if (window !== this.#window) return;
    window.add(milliseconds, running);
    if (window.saves < Math.max(MIN_WINDOW_SAVES, this.limit)) return;
    this.#window = new Window();
    if (this.#probing) {
      this.#baseline = window.mean;
      this.#probing = false;
    } else if (2 * window.mostRunning + 1 >= Math.floor(this.#limit)) {
      // While fewer saves run, their time says nothing about the limit.
      this.#adjust(window);
    }
  }

  #adjust({ mean, mostRunning }: Window): void {
    this.#baseline = Math.min(this.#baseline, mean);
    const target = 2 * mostRunning * (this.#baseline / mean) + 1;
    // The renderer must have changed, since a probe at a third of the limit is at most three times as fast.
    const changed = mean > CHANGE_FACTOR * this.#baseline;
    // Otherwise half of the way down, because one slow window may be chance. All of the way up: it corrects itself.
    const next = target < this.#limit && !changed ? (this.#limit + target) / 2 : target;
    this.#limit = Math.min(MAX_LIMIT, Math.max(MIN_LIMIT, next));
    this.#windowsUntilProbe -= 1;
    if (changed) this.#probeInterval = FIRST_PROBE_AFTER;
    else if (this.#windowsUntilProbe > 0) return;
    else this.#probeInterval = Math.min(2 * this.#probeInterval, MAX_WINDOWS_BETWEEN_PROBES);
    this.#probing = true;
    this.#windowsUntilProbe = this.#probeInterval;
  }
}

/** The saves that were admitted under one limit. */
export class Window {
  saves = 0;
  /** Saves in progress, at the most. */
  mostRunning = 0;
  #sum = 0;

  /** Milliseconds of a save, on average. */
  get mean(): number {
    return this.#sum / this.saves;
  }

  add(milliseconds: number, running: number): void {
    this.saves += 1;
    this.#sum += milliseconds;
    this.mostRunning = Math.max(this.mostRunning, running);
  }
}
