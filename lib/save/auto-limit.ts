// Finds how many saves at once suit a renderer: the limit of `concurrency: 'auto'`.
//
// What must be limited is competition. So the limit is found by comparing how long a save takes among many with how long
// it takes among few, the baseline. Saves that end are measured in windows, by the geometric mean of their times, because
// competition multiplies the time of each image. After each window, with ratio = baseline ÷ time of a save, at most 1:
//
//     limit = saves in progress × ratio × (1 + 1.5 × ratio³), but at least 3
//
// - A renderer that waits for something else takes as long among many: the ratio is 1, and the limit is multiplied by 2.5.
// - A renderer that is bound by the CPU or has a limit of its own takes longer in proportion. The limit settles where a
//   save takes about one and a half times the baseline: 3 on two CPUs, 12 before a server that handles 8.
//
// The limit grows only if clearly fewer saves were in progress in the baseline: otherwise the ratio says nothing. The
// baseline is measured in probes, windows at a third of the saves in progress. Probes come after 1, 2, 4 and at most 32
// windows in which saves compete or the ratio says nothing. A probe that has found a much lower limit is followed by the
// next after one such window, and saves that become much faster or slower by one at once. At the start, the first window
// is the baseline, the limit doubles without a probe, and is multiplied by up to 4 until there is one. So it may have risen
// far too high, and the first probe is at an eighth. A slow first window is no baseline: code is being compiled.
//
// Not every save in progress competes. One that hangs, or waits far longer than its like, holds up no other: it no longer
// counts once it has taken twice as long as any of the last hundred that were done. Of those, a save that took 50 times as
// long as the usual one is left out: it has waited, while an image that is merely expensive competes. Until a save is done,
// each one that no longer counts makes the rest count for longer, so that a renderer that hangs is not flooded.
//
// A save that is being published waits for a disk or a store, and competes with nothing that the renderer does. So it no
// longer counts, and its time is taken then. Flushes have a limit of their own (lib/thread-pool.ts). If the store is slower
// than the renderer, those beyond 32 count to their end.
//
// A timeout says nothing about competition, because it takes as long as its deadline among many and among few. If a save
// that counts had more time than the baseline and still timed out, the limit falls by one, to 1 while nothing is done, and
// the next window in which saves compete is followed by a probe.
//
// Tried before: Gradient2 (Netflix) compares with a long average instead of a probe and drifts upwards under a constant
// overload. Vegas takes the fastest save ever as the baseline, which a mix of cheap and expensive images misleads. If no
// save counts for longer than a multiple of the usual time, the expensive images of a mix compete uncounted, and time out.

/** Three renders leave one of the four threads that Node uses for files to the host. */
const MIN_LIMIT = 3;
/** The limit at the start, and the saves of the first windows. Later ones have twice as many, so that chance tells less. */
const FIRST_LIMIT = 8;
/** A probe lowers the saves in progress to this part. */
const PROBE_PART = 1 / 3;
const FIRST_PROBE_PART = 1 / 8;
/** With one save at a time, its disk and its renderer would wait for each other. */
const MIN_PROBE = 2;
/** With the ratio 1 the limit is multiplied by this and 1. */
const GROWTH = 1.5;
/** Until the first probe. */
const FIRST_GROWTH = 3;
const MAX_WINDOWS_BETWEEN_PROBES = 32;
/** A change by this factor is no chance. The baseline rises by no more in one probe, in case it still competed. */
const CHANGE = 1.5;
/** Saves that take so many times the baseline compete, so the next probe comes nearer. */
const COMPETING = 1.25;
/** A shorter baseline counts as this: saves of a few milliseconds delay no host noticeably, and many share work. */
const MIN_BASELINE_MS = 5;
/** A save counts until it has taken so many times as long as the longest recent one. */
const PATIENCE = 2;
/** The longest time at the start, when no save has ended. */
const FIRST_LONGEST_MS = 200;
/** How many saves later a long one is forgotten by two thirds. */
const RECENT_SAVES = 128;
/** A save that takes so many times as long as the usual one competes for nothing. */
const LONG = 50;
/** Each save moves the usual time by this factor, and each that no longer counts the patience, until a save is done. */
const STEP = 1.06;
/** Saves that may be published without counting. */
const MAX_PUBLISHING = 32;

/** A save in progress. */
export interface Running {
  /** A reading of `performance.now()`. */
  readonly startedAt: number;
}

export class AutoLimit {
  #limit = FIRST_LIMIT;
  #running = 0;
  /** The saves that count, oldest first. */
  readonly #counting = new Set<Running>();
  readonly #publishing = new Set<Running>();
  /** Milliseconds of the longest recent save that may have competed, and the running median of all, both to their ends. */
  #longest = FIRST_LONGEST_MS;
  #usual = FIRST_LONGEST_MS;
  #patienceFactor = 1;
  #window = new Window(0);
  /** A window with few saves in progress. */
  #baseline: Sample | undefined;
  /** Whether a first window was slow, so that the next one is the baseline; whether no probe has ended. */
  #isWarm = false;
  #isStarting = true;
  /** The window before the probe that is running. */
  #probed: Window | undefined;
  #probeInterval = 1;
  #windowsUntilProbe = 1;

  /** Saves that count and may be in progress now. */
  get limit(): number {
    return Math.floor(this.#limit);
  }

  /** Whether fewer or more saves are in progress than usual, so that the rate at which they end says little. */
  get isUnusual(): boolean {
    return this.#patienceFactor > 1 || this.#probed !== undefined;
  }

  /** Whether another save may start, once those that have taken too long no longer count. */
  makeRoom(now: number): boolean {
    for (const save of this.#counting) {
      if (now - save.startedAt < PATIENCE * this.#longest * this.#patienceFactor) break;
      this.#counting.delete(save);
      this.#patienceFactor *= STEP;
    }
    return this.#counting.size < this.limit;
  }

  start(save: Running): void {
    this.#running += 1;
    this.#counting.add(save);
  }

  /** A save has been rendered and inspected. */
  startPublishing(save: Running, now: number): void {
    if (this.#publishing.size >= MAX_PUBLISHING || !this.#counting.has(save)) return;
    this.#stopCounting(save, now);
    this.#publishing.add(save);
  }

  /** Records the end of a save. */
  end(save: Running, outcome: 'done' | 'timeout' | 'failed', now: number): void {
    const milliseconds = now - save.startedAt;
    const counted = this.#counting.has(save);
    if (outcome === 'done') {
      this.#usual *= milliseconds > this.#usual ? STEP : 1 / STEP;
      if (milliseconds < LONG * this.#usual)
        this.#longest = Math.max(milliseconds, this.#longest * (1 - 1 / RECENT_SAVES));
      this.#patienceFactor = 1;
      if (this.#probed === undefined) this.#limit = Math.max(MIN_LIMIT, this.#limit);
      if (counted) this.#stopCounting(save, now);
    } else if (outcome === 'timeout' && counted && milliseconds > (this.#baseline?.time ?? 0)) {
      if (this.#probed === undefined) this.#limit = Math.max(1, this.#limit - 1);
      this.#window.dropped = true;
      this.#windowsUntilProbe = this.#probeInterval = 1;
    }
    this.#running -= 1;
    this.#counting.delete(save);
    this.#publishing.delete(save);
  }

  /** Takes the time of a save that no longer counts. */
  #stopCounting(save: Running, now: number): void {
    const counting = this.#counting.size;
    this.#counting.delete(save);
    // A save that began under another limit is no measure of this one.
    if (save.startedAt < this.#window.since) return;
    this.#window.add(now - save.startedAt, counting, this.#running - this.#publishing.size);
    // Until the first probe, a first impression is enough.
    const size = this.#isStarting ? Math.max(FIRST_LIMIT, counting / 2) : Math.max(2 * FIRST_LIMIT, counting);
    if (this.#window.saves >= size) this.#endWindow(now);
  }

  #endWindow(now: number): void {
    const window = this.#window;
    this.#window = new Window(now);
    if (this.#probed !== undefined) this.#endProbe(this.#probed, window);
    else if (this.#baseline === undefined) this.#begin(window);
    else this.#adjust(window, this.#baseline);
  }

  /** The first windows. */
  #begin(window: Window): void {
    const isSlow = window.time > PATIENCE * FIRST_LONGEST_MS;
    if (isSlow && !this.#isWarm) this.#isWarm = true;
    else this.#baseline = window;
    if (!isSlow) this.#limit = Math.max(this.#limit, 2 * window.counting);
  }

  #adjust(window: Window, baseline: Sample): void {
    const { time, counting } = window;
    const target = this.#target(window, baseline);
    const isInUse = counting > this.#limit / 2;
    const isMeasured = window.all >= CHANGE * baseline.all;
    const competing = this.#isStarting ? CHANGE : COMPETING;
    if (isInUse && (!isMeasured || time > competing * baseline.time)) this.#windowsUntilProbe -= 1;
    const hasChanged = time < baseline.time / CHANGE || target < counting / 2;
    if (hasChanged || (isInUse && this.#windowsUntilProbe <= 0)) {
      this.#probed = window;
      this.#limit = this.#isStarting
        ? Math.max(MIN_LIMIT, Math.floor(counting * FIRST_PROBE_PART))
        : Math.max(MIN_PROBE, Math.floor(counting * PROBE_PART));
    } else if (target < counting || (target > this.#limit && isInUse && isMeasured && !window.dropped))
      this.#limit = target;
  }

  #endProbe(probed: Window, { time, all }: Window): void {
    this.#probed = undefined;
    this.#isStarting = false;
    this.#baseline = { time: Math.min(time, CHANGE * (this.#baseline?.time ?? Infinity)), all };
    this.#limit = this.#target(probed, this.#baseline);
    const falls = this.#limit < probed.counting / CHANGE;
    this.#probeInterval = falls ? 1 : Math.min(2 * this.#probeInterval, MAX_WINDOWS_BETWEEN_PROBES);
    this.#windowsUntilProbe = this.#probeInterval;
  }

  #target({ time, counting }: Window, baseline: Sample): number {
    const ratio = Math.min(1, Math.max(baseline.time, MIN_BASELINE_MS) / time);
    return Math.max(
      MIN_LIMIT,
      counting * ratio * (1 + (this.#isStarting ? FIRST_GROWTH : GROWTH) * ratio ** 3),
    );
  }
}

/** How long a save took, while so many were in progress. */
type Sample = Pick<Window, 'time' | 'all'>;

/** The saves that began and ended under one limit. */
class Window {
  saves = 0;
  /** Whether a save timed out that should not have. */
  dropped = false;
  #logs = 0;
  #counting = 0;
  #all = 0;

  constructor(readonly since: number) {}

  /** Milliseconds of a save, on average. */
  get time(): number {
    return Math.exp(this.#logs / this.saves);
  }

  /** Saves in progress that count, on average. */
  get counting(): number {
    return this.#counting / this.saves;
  }

  /** Saves in progress that are not being published, on average. */
  get all(): number {
    return this.#all / this.saves;
  }

  add(milliseconds: number, counting: number, all: number): void {
    this.saves += 1;
    // Rounded up, because 0 has no logarithm.
    this.#logs += Math.log(Math.max(0.1, milliseconds));
    this.#counting += counting;
    this.#all += all;
  }
}
