// Medians, their confidence intervals, and ratios that are taken within each round.

/** What one request took, in milliseconds, on average over one sample. */
export interface Sample {
  /** By the client's clock. */
  readonly time: number;
  /** Processor time of the process that is measured and its decoder processes: all threads, user and system. */
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
  return Float64Array.from(values).sort()[Math.max(0, Math.ceil(share * values.length) - 1)] ?? NaN;
}

/**
 * The interval is made of order statistics, so it assumes nothing about the distribution: how many of n values lie
 * below the median is binomial, with a standard deviation of √n ÷ 2 (Conover, Practical Nonparametric Statistics, 3.2).
 */
export function estimate(values: readonly number[]): Estimate {
  const sorted = Float64Array.from(values).sort();
  const at = (rank: number): number => sorted[Math.min(sorted.length - 1, Math.max(0, rank))] ?? NaN;
  const middle = sorted.length / 2;
  const reach = 1.96 * (Math.sqrt(sorted.length) / 2);
  return {
    median: (at(Math.ceil(middle) - 1) + at(Math.floor(middle))) / 2,
    low: at(Math.floor(middle - reach)),
    high: at(Math.ceil(middle + reach)),
  };
}

export function median(values: readonly number[]): number {
  return estimate(values).median;
}

/**
 * How many requests the subject serves in the time (or processor time) in which the other serves one: above 1, the
 * subject is the faster of the two. Drift of the machine from round to round cancels out.
 */
export function speedRatio(subject: Sample[], other: Sample[], quantity: keyof Sample): Estimate {
  return estimate(subject.map((sample, round) => (other[round]?.[quantity] ?? NaN) / sample[quantity]));
}

/** A shuffled copy: sorted by random keys. */
export function shuffle<T>(items: readonly T[], random: () => number = Math.random): T[] {
  const keyed = items.map((item) => ({ item, key: random() }));
  return keyed.sort((a, b) => a.key - b.key).map(({ item }) => item);
}
