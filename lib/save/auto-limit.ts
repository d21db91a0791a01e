// Finds how many saves at once suit a renderer, by measuring saves at the limit and well below it.

/** No limit is lower: with one save at a time, its disk and its renderer would wait for each other. */
const MIN_LIMIT = 2;
const MAX_LIMIT = 1000;
const INITIAL_LIMIT = 4;

/** The number of saves in a window, or half of the limit if that is more. */
const MIN_WINDOW_SAVES = 16;
/** While the limit rises fast, a first impression is enough. */
const MIN_WINDOW_SAVES_RISING = 4;

/** Below this share of the limit, the time of the running saves is no measure of the limit. */
const USED_PART = 0.7;

/**
 * The limit settles at so many times the number of saves that a renderer can work on. Few saves that are bound by the
 * CPU must leave threads and time to the host; among many, each takes little, and they come in bursts.
 */
const tolerance = (running: number): number => Math.min(2, 1.2 + running / 40);

/** Saves compete if one of the probe took less than this part of the time of one in the window, times the tolerance. */
const COMPETING_RATIO = 0.875;
/** Saves do not compete if it took at least this part. */
const FREE_RATIO = 0.85;

/** After a window in which saves do not compete, the limit may rise by so many times as much. */
const ACCELERATION = 1.25;
/** The limit rises to so many times itself at most, and at the start. */
const MAX_GROWTH = 3;

/** A probe lowers the limit to this part of it. */
const PROBE_PART = 1 / 3;
/** Windows with competing saves between two probes: few at first, then twice as many each time. */
const FIRST_PROBE_AFTER = 4;
const MAX_WINDOWS_BETWEEN_PROBES = 32;

/**
 * Saves may compete until each takes so many milliseconds. That delays no request of the host noticeably, and with more
 * of them at once each turn of the event loop does more.
 */
const SHORT_SAVE_MS = 10;

/** If saves take this many times as long as in the last probe, the renderer has changed. */
const CHANGE_FACTOR = 4;

/**
 * A concurrency limit that follows the renderer.
 *
 * Saves are measured in windows. Now and then a probe, a window at a third of the limit, tells how long a save takes when
 * it competes with fewer others. After every other window the limit becomes
 *
 *     tolerance × saves in progress × (time of a save in the probe ÷ time of a save in the window) + 1
 *
 * A renderer that waits for something else takes as long either way, so the limit rises, faster with each window. A
 * renderer that is bound by the CPU takes longer in proportion to the limit, so the limit settles just above the number
 * of saves that it can work on, or at the number at which each takes 10 ms. In a mix of cheap and expensive images the ratio is uncertain, so it counts as higher
 * by its standard error: the limit falls only when competition is more than chance. (Compare the gradient limits of
 * Netflix's concurrency-limits.)
 */
export class AutoLimit {
  #limit = INITIAL_LIMIT;
  #growth = MAX_GROWTH;
  #window = new Window();
  /** The last probe. */
  #baseline: Window | undefined;
  #probing = false;
  #probeInterval = FIRST_PROBE_AFTER;
  #windowsUntilProbe = FIRST_PROBE_AFTER;
  /** Pending saves that were admitted before the limit changed, so they are no measure of it. */
  #toSkip = 0;

  /** Saves that may be in progress now. */
  get limit(): number {
    return Math.max(MIN_LIMIT, Math.floor(this.#probing ? this.#limit * PROBE_PART : this.#limit));
  }

  /** Whether the limit rises fast. Then it is no basis yet for expected waiting times. */
  get rising(): boolean {
    return this.#growth === MAX_GROWTH;
  }

  /**
   * Records a save that has ended.
   *
   * @param milliseconds From its admission to its end.
   * @param running Saves in progress when it ended, itself included.
   */
  record(milliseconds: number, running: number): void {
    if (this.#toSkip > 0) {
      this.#toSkip -= 1;
      return;
    }
    const window = this.#window;
    window.add(milliseconds, running);
    if (window.saves < (this.rising ? MIN_WINDOW_SAVES_RISING : MIN_WINDOW_SAVES)) return;
    const { ratio, error } = compare(this.#baseline, window);
    const changed = ratio * error ** 2 < 1 / CHANGE_FACTOR;
    if (2 * window.saves < this.limit && !changed) return;
    const { limit } = this;
    this.#window = new Window();
    if (this.#probing) {
      this.#baseline = window;
      this.#probing = false;
    } else if (changed) {
      this.#startAgain(window.running * ratio);
    } else if (window.running >= USED_PART * limit) {
      // The first saves take longer than all others, so they only come before the first probe.
      if (this.#baseline === undefined) this.#probe(FIRST_PROBE_AFTER);
      else this.#adjust(window, Math.min(1, ratio * error), ratio >= FREE_RATIO);
    }
    if (this.limit !== limit) this.#toSkip = running - 1;
  }

  /** The limit comes near to what suits the renderer as it is now, and may rise as fast as at first. */
  #startAgain(limit: number): void {
    this.#setLimit(Math.max(INITIAL_LIMIT, limit));
    this.#growth = MAX_GROWTH;
    this.#probe(FIRST_PROBE_AFTER);
  }

  #adjust({ running, time }: Window, ratio: number, free: boolean): void {
    const tolerated = tolerance(running);
    if (ratio * tolerated >= COMPETING_RATIO) {
      this.#setLimit(Math.max(this.#limit, Math.max(this.#growth, tolerated) * running * ratio + 1));
      if (free) this.#growth = Math.min(MAX_GROWTH, this.#growth * ACCELERATION);
      return;
    }
    const target = Math.max(tolerated * running * ratio + 1, (running * SHORT_SAVE_MS) / time);
    this.#windowsUntilProbe -= 1;
    if (this.#growth > 1) {
      // The limit has risen too far.
      this.#growth = 1;
      this.#setLimit(target);
      this.#probe(FIRST_PROBE_AFTER);
    } else {
      // Half of the way, because one slow window may be chance.
      this.#setLimit((this.#limit + target) / 2);
      if (this.#windowsUntilProbe <= 0)
        this.#probe(Math.min(2 * this.#probeInterval, MAX_WINDOWS_BETWEEN_PROBES));
    }
  }

  /** @param interval Windows in which saves compete until the next probe. */
  #probe(interval: number): void {
    this.#probing = true;
    this.#probeInterval = this.#windowsUntilProbe = interval;
  }

  #setLimit(limit: number): void {
    this.#limit = Math.min(MAX_LIMIT, Math.max(MIN_LIMIT, limit));
  }
}

/** The ratio of a save's time in a probe to that in a window, and the factor of its uncertainty. */
function compare(baseline: Window | undefined, window: Window): { ratio: number; error: number } {
  if (baseline === undefined) return { ratio: 1, error: 1 };
  return {
    ratio: Math.exp(baseline.mean - window.mean),
    error: Math.exp(Math.sqrt(baseline.squaredError + window.squaredError)),
  };
}

/** The saves that ended under one limit. */
class Window {
  saves = 0;
  #sum = 0;
  #squares = 0;
  #runningSum = 0;

  /** The mean of the logarithms of milliseconds, because competition multiplies the time of each image. */
  get mean(): number {
    return this.#sum / this.saves;
  }

  /** The geometric mean of milliseconds. */
  get time(): number {
    return Math.exp(this.mean);
  }

  /** The square of the standard error of {@link mean}. */
  get squaredError(): number {
    return Math.max(0, this.#squares / this.saves - this.mean ** 2) / this.saves;
  }

  /** Saves in progress, on average. */
  get running(): number {
    return this.#runningSum / this.saves;
  }

  add(milliseconds: number, running: number): void {
    // Rounded up, because 0 has no logarithm.
    const log = Math.log(Math.max(0.1, milliseconds));
    this.saves += 1;
    this.#sum += log;
    this.#squares += log ** 2;
    this.#runningSum += running;
  }
}
