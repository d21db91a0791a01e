// Counts results: how many of each kind, and one example of each failure.
import type { SaveResult } from '../types.js';

/** Failures of one code. */
export interface Failures {
  count: number;
  /** The first of them. */
  readonly example: SaveResult;
}

/** Results further back do not count for the rate, in milliseconds. */
const RATE_WINDOW_MS = 15_000;
const RATE_STEP_MS = 1000;

export class Tally {
  /** How many jobs there are; undefined where that is not known beforehand. */
  readonly total: number | undefined;
  readonly #begin = performance.now();
  readonly #failures = new Map<string, Failures>();
  /** How many had been sent at some moments of the last seconds. */
  readonly #samples: { readonly at: number; readonly sent: number }[] = [{ at: this.#begin, sent: 0 }];
  done = 0;
  skipped = 0;
  /** Of those that are skipped: the list had them before. */
  repeated = 0;
  failed = 0;
  bytes = 0;
  pixels = 0;

  constructor(total: number | undefined) {
    this.total = total;
  }

  /** Jobs that have ended. */
  get count(): number {
    return this.done + this.skipped + this.failed;
  }

  get milliseconds(): number {
    return performance.now() - this.#begin;
  }

  /** The failures by code, the most frequent first. */
  get failures(): readonly (readonly [code: string, failures: Failures])[] {
    return [...this.#failures].sort(([, a], [, b]) => b.count - a.count);
  }

  add(result: SaveResult): void {
    this[result.status]++;
    if (result.code === 'repeated') this.repeated++;
    this.bytes += result.bytes ?? 0;
    this.pixels += result.pixels ?? 0;
    if (result.status !== 'failed') return;
    const code = result.code ?? 'failed';
    const failures = this.#failures.get(code);
    if (failures === undefined) this.#failures.set(code, { count: 1, example: result });
    else failures.count++;
  }

  /** Recent jobs per second, without skipped ones. */
  rate(now = performance.now()): number {
    const sent = this.done + this.failed;
    const samples = this.#samples;
    const last = samples.at(-1);
    if (last === undefined || now - last.at >= RATE_STEP_MS) samples.push({ at: now, sent });
    while (samples.length > 2 && now - (samples[1]?.at ?? now) > RATE_WINDOW_MS) samples.shift();
    const [first] = samples;
    const milliseconds = now - (first?.at ?? now);
    return milliseconds <= 0 ? 0 : (1000 * (sent - (first?.sent ?? 0))) / milliseconds;
  }
}
