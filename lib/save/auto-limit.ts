// Finds how many saves at once suit a renderer: the limit of `concurrency: 'auto'`.
//
// What must be limited is competition. So the limit is found by comparing how long a save takes among many with how long
// it takes among few, the baseline. Saves that end are measured in windows, by the geometric mean of their times, because
// competition multiplies the time of each image. After each window, with ratio = baseline ÷ time of a save, at most 1:
//
//     limit = saves in progress × ratio × (1 + 2 × ratio³)
//
// - A renderer that waits for something else takes as long among many: the ratio is 1, and the limit triples.
// - A renderer that is bound by the CPU or has a limit of its own takes longer in proportion. The limit settles where a
//   save takes about one and a half times the baseline: 3 on two CPUs, 12 before a server that handles 8.
//
// The baseline is measured in probes, windows at a third of the saves in progress, and is never believed for long: the
// next probe comes after 1, 2, 4 and at most 16 windows in which saves compete, after the next window if a probe has found
// a much lower limit, and at once instead of a sharp fall. A window that is much faster than the baseline replaces it.
//
// Not every save in progress competes. One that hangs, or waits far longer than its like, holds up no other: a save stops
// to count when it has taken twice as long as any of the last few hundred that ended. Until a save ends, each that stops to
// count makes the rest more patient, because a renderer that hangs or becomes much slower must not be flooded.
//
// A timeout says nothing about competition, because it takes as long as its deadline among many and among few. If a save
// that counts had more time than the baseline and still timed out, the limit falls by one, and does not rise in that window.
//
// Tried before: Gradient2 (Netflix) compares with a long average instead of a probe and drifts upwards under a constant
// overload. Vegas takes the fastest save ever as the baseline, which a mix of cheap and expensive images misleads. Saves
// that stop to count after a multiple of the mean flood a mix: its expensive images then compete without being counted.

/** No limit is lower: with one save at a time, its disk and its renderer would wait for each other. */
const MIN_LIMIT = 2;
/** The limit at the start, and the saves of a window, or those in progress if that is more. */
const FIRST_LIMIT = 8;
/** A probe lowers the saves in progress to this part. */
const PROBE_PART = 1 / 3;
const MAX_WINDOWS_BETWEEN_PROBES = 16;
/** A change by this factor is no chance. The baseline rises by no more in one probe, in case it still competed. */
const CHANGE = 1.5;
/** A shorter baseline counts as this: saves of a few milliseconds delay no host noticeably, and many share work. */
const MIN_BASELINE_MS = 5;
/** A save counts until it has taken so many times as long as any recent one. */
const PATIENCE = 2;
/** The longest time at the start, when no save has ended. */
const FIRST_LONGEST_MS = 250;
/** How many saves later a long one is forgotten by two thirds. */
const RECENT_SAVES = 256;
/** Each save that stops to count raises the patience by this factor, until a save ends. */
const BACK_OFF = 1.03;

/** A save in progress. */
export interface Running {
  /** A reading of `performance.now()`. */
  readonly startedAt: number;
}

export class AutoLimit {
  #limit = FIRST_LIMIT;
  /** The saves that count, oldest first. */
  readonly #counting = new Set<Running>();
  #longest = FIRST_LONGEST_MS;
  #backOff = 1;
  #window = new Window(0);
  /** The logarithm of the milliseconds of a save among few. */
  #baseline: number | undefined;
  /** The window before the probe that is running. */
  #probed: Window | undefined;
  #isProbed = false;
  #probeInterval = 1;
  #windowsUntilProbe = 1;

  /** Saves that count and may be in progress now. */
  get limit(): number {
    return Math.max(MIN_LIMIT, Math.floor(this.#limit));
  }

  /** Whether saves have stopped to count since the last one ended. */
  get impatient(): boolean {
    return this.#backOff > 1;
  }

  /** Whether another save may start. */
  hasRoom(now: number): boolean {
    for (const save of this.#counting) {
      if (now - save.startedAt < PATIENCE * this.#longest * this.#backOff) break;
      this.#counting.delete(save);
      this.#backOff *= BACK_OFF;
    }
    return this.#counting.size < this.limit;
  }

  start(save: Running): void {
    this.#counting.add(save);
  }

  /** Records the end of a save. */
  end(save: Running, outcome: 'done' | 'timeout' | 'failed', now: number): void {
    const running = this.#counting.size;
    const counted = this.#counting.delete(save);
    // Rounded up, because 0 has no logarithm.
    const milliseconds = Math.max(0.1, now - save.startedAt);
    const log = Math.log(milliseconds);
    if (outcome === 'done') {
      this.#longest = Math.max(milliseconds, this.#longest * (1 - 1 / RECENT_SAVES));
      this.#backOff = 1;
      // A save that began under another limit is no measure of this one.
      if (counted && save.startedAt >= this.#window.since) this.#record(log, running, now);
    } else if (outcome === 'timeout' && counted && log > (this.#baseline ?? 0)) {
      this.#limit = Math.max(MIN_LIMIT, this.#limit - 1);
      this.#window.dropped = true;
    }
  }

  #record(log: number, running: number, now: number): void {
    const window = this.#window;
    window.add(log, running);
    // Until the first probe, a first impression is enough.
    if (window.saves < Math.max(FIRST_LIMIT, this.#isProbed ? running : running / 2)) return;
    this.#window = new Window(now);
    if (this.#probed !== undefined) this.#endProbe(this.#probed, window);
    else this.#adjust(window);
  }

  #adjust(window: Window): void {
    this.#baseline ??= window.time;
    if (window.time < this.#baseline - Math.log(CHANGE)) this.#baseline = window.time;
    const { running } = window;
    const target = this.#target(window, this.#baseline);
    if (target < 2 * running) this.#windowsUntilProbe -= 1;
    if (target < running / 2 || this.#windowsUntilProbe <= 0) {
      this.#probed = window;
      this.#limit = Math.ceil(running * PROBE_PART);
    } else if (target < running || (target > this.#limit && !window.dropped)) this.#limit = target;
  }

  #endProbe(probed: Window, probe: Window): void {
    this.#probed = undefined;
    this.#isProbed = true;
    this.#baseline = Math.min(probe.time, (this.#baseline ?? Infinity) + Math.log(CHANGE));
    this.#limit = this.#target(probed, this.#baseline);
    const falls = this.#limit < probed.running / CHANGE;
    this.#probeInterval = falls ? 1 : Math.min(2 * this.#probeInterval, MAX_WINDOWS_BETWEEN_PROBES);
    this.#windowsUntilProbe = this.#probeInterval;
  }

  #target({ time, running }: Window, baseline: number): number {
    const ratio = Math.min(1, Math.exp(Math.max(baseline, Math.log(MIN_BASELINE_MS)) - time));
    return Math.max(MIN_LIMIT, running * ratio * (1 + 2 * ratio ** 3));
  }
}

/** The saves that began and ended under one limit. */
class Window {
  saves = 0;
  /** Whether a save timed out that should not have. */
  dropped = false;
  #logs = 0;
  #running = 0;

  constructor(readonly since: number) {}

  /** The logarithm of the milliseconds of a save, on average. */
  get time(): number {
    return this.#logs / this.saves;
  }

  /** Saves in progress that count, on average. */
  get running(): number {
    return this.#running / this.saves;
  }

  add(log: number, running: number): void {
    this.saves += 1;
    this.#logs += log;
    this.#running += running;
  }
}
