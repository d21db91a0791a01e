// Shuffled rounds, and what may be said of them: medians, their spread, and ratios that a control stands up for.

/** What one request took, in microseconds, on average over one slice. */
export interface Slice {
  /** Time by the clock, as the client saw it. */
  readonly wall: number;
  /** Processor time of the serving process, all its threads, in user and in system mode. */
  readonly cpu: number;
}

export type Quantity = keyof Slice;

/** Runs one slice of one variant in one round. */
export type Measure = (round: number) => Promise<Slice>;

/** Variants that are compared with one of them. */
export interface Contest {
  readonly name: string;
  /** The variant that is compared with all others. */
  readonly subject: string;
  readonly variants: ReadonlyMap<string, Measure>;
  /** The subject once more: the control. */
  readonly twin: Measure;
}

/** What the rounds of a contest gave, slice by slice, in the order of the rounds. */
export interface Outcome {
  readonly name: string;
  readonly subject: string;
  readonly series: ReadonlyMap<string, readonly Slice[]>;
  readonly twin: readonly Slice[];
}

/** A median, and the quartiles around it: half of all values are between them. */
export interface Spread {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

/** A value that could be measured, or why it could not. */
export type Finding = Spread | { readonly refused: string };

/** By how much a variant may differ from itself before nothing it is compared with can be believed. */
export const MOST_OFF = 0.03;

/** Between sorted values the quantile is taken in proportion, as spreadsheets do. */
export function quantile(values: readonly number[], share: number): number {
  if (values.length === 0) throw new RangeError('There is no median of nothing');
  const sorted = [...values].sort((a, b) => a - b);
  const at = share * (sorted.length - 1);
  const below = sorted[Math.floor(at)] ?? NaN;
  const above = sorted[Math.ceil(at)] ?? NaN;
  return below + (above - below) * (at - Math.floor(at));
}

export function spread(values: readonly number[]): Spread {
  return { median: quantile(values, 0.5), low: quantile(values, 0.25), high: quantile(values, 0.75) };
}

/** In each round, how many times the second needs what the first needs: above 1, the first is the better. */
function perRound(first: readonly Slice[], second: readonly Slice[], quantity: Quantity): number[] {
  return first.map((slice, round) => (second[round]?.[quantity] ?? NaN) / slice[quantity]);
}

/** How far the subject is off from itself, as a share: 0.01 is one percent. */
export function controlOff({ series, subject, twin }: Outcome, quantity: Quantity): number {
  const ratios = perRound(series.get(subject) ?? [], twin, quantity);
  return Math.abs(quantile(ratios, 0.5) - 1);
}

/**
 * Subject ÷ other: how many times as many requests the subject serves in the same time, by the clock or by the
 * processor. Taken within each round, so that what drifts from round to round cancels out.
 */
export function ratioTo(outcome: Outcome, other: string, quantity: Quantity): Finding {
  const off = controlOff(outcome, quantity);
  if (!(off <= MOST_OFF)) {
    return {
      refused: `the control is off by ${(100 * off).toFixed(1)} %, more than ${(100 * MOST_OFF).toFixed(0)} %`,
    };
  }
  const { series, subject } = outcome;
  return spread(perRound(series.get(subject) ?? [], series.get(other) ?? [], quantity));
}

/** Each in a place of its own, by Fisher and Yates. */
export function shuffled<T>(items: readonly T[], random: () => number = Math.random): T[] {
  const mixed = [...items];
  for (let last = mixed.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [mixed[last], mixed[other]] = [mixed[other] as T, mixed[last] as T];
  }
  return mixed;
}

/**
 * Runs all variants and the control once in each round, in an order of its own, after a fifth as many rounds that do
 * not count: by then the compiler has done its work. Where the control is off after all rounds it goes on, for at most
 * half as many again: chance evens out, a fault stays.
 */
export async function runRounds(contest: Contest, rounds: number): Promise<Outcome> {
  const { name, subject, variants } = contest;
  const series = new Map([...variants.keys()].map((variant) => [variant, [] as Slice[]]));
  const twin: Slice[] = [];
  const outcome = { name, subject, series, twin };
  const entries: [Slice[], Measure][] = [...variants].map(([variant, measure]) => [
    series.get(variant) ?? [],
    measure,
  ]);
  entries.push([twin, contest.twin]);
  for (let round = -Math.floor(rounds / 5); round <= 0; round++) {
    for (const [, measure] of entries) await measure(round);
  }
  const mayStop = (): boolean =>
    controlOff(outcome, 'wall') <= MOST_OFF && controlOff(outcome, 'cpu') <= MOST_OFF;
  for (let round = 1; round <= rounds || (round <= 1.5 * rounds && !mayStop()); round++) {
    for (const [slices, measure] of shuffled(entries)) slices.push(await measure(round));
  }
  return outcome;
}
