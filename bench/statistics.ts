// Medians, their confidence intervals, and ratios that are taken within each round.

/** What one request took, in microseconds, on average over one sample. */
export interface Sample {
  /** By the client's clock. */
  readonly time: number;
  /** Processor time of the server and its decoder processes, all of their threads, user and system. */
  readonly cpu: number;
}

/** A median and its 95 % confidence interval. */
export interface Estimate {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

/** The smallest value that at least this share of the values does not exceed (the nearest-rank method). */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(middle)] ?? NaN) + (sorted[Math.ceil(middle)] ?? NaN)) / 2;
}

/**
 * The interval is made of order statistics, so it assumes nothing about the distribution: how many of n values lie
 * below the median is binomial, with a standard deviation of √n ÷ 2 (Conover, Practical Nonparametric Statistics, 3.2).
 */
export function estimate(values: readonly number[]): Estimate {
  const sorted = [...values].sort((a, b) => a - b);
  const { length } = sorted;
  const reach = 1.96 * (Math.sqrt(length) / 2);
  const low = sorted[Math.max(0, Math.floor(length / 2 - reach))] ?? NaN;
  const high = sorted[Math.min(length - 1, Math.ceil(length / 2 + reach))] ?? NaN;
  return { median: median(sorted), low, high };
}

/**
 * How many requests the subject serves in the time (or processor time) in which the other serves one: above 1, the
 * subject is the faster of the two. Drift of the machine from round to round cancels out.
 */
export function speedRatio(
  subject: readonly Sample[],
  other: readonly Sample[],
  quantity: keyof Sample,
): Estimate {
  return estimate(subject.map((sample, round) => (other[round]?.[quantity] ?? NaN) / sample[quantity]));
}

/** A shuffled copy (Fisher–Yates). */
export function shuffle<T>(items: readonly T[], random: () => number = Math.random): T[] {
  const result = [...items];
  for (let last = result.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [result[last], result[other]] = [result[other] as T, result[last] as T];
  }
  return result;
}
