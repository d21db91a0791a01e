// One comparison: a subject, a control (the subject again) and others, sampled in shuffled rounds.
import type { BenchContext } from './context.js';
import { microseconds, showEstimate, table } from './format.js';
import { median, shuffle, speedRatio, type Estimate, type Sample } from './statistics.js';

/** Takes one sample in a round; rounds below 0 are warm-up. */
export type Sampler = (round: number) => Promise<Sample>;

export interface Comparison {
  readonly title: string;
  /** The first is the subject and the second its control; the names are those of the table. */
  readonly contestants: ReadonlyMap<string, Sampler>;
  readonly rounds: number;
}

/** How fast the subject is, compared with another contestant. */
export interface Finding {
  readonly comparison: string;
  readonly other: string;
  readonly time: Estimate;
  readonly cpu: Estimate;
}

/** Samples each contestant once in each round, in an order shuffled anew, after a sixth as many warm-up rounds. */
export async function runRounds({ contestants, rounds }: Comparison): Promise<Map<string, Sample[]>> {
  const samples = new Map([...contestants.keys()].map((name) => [name, [] as Sample[]]));
  for (let round = -Math.ceil(rounds / 6); round < rounds; round++) {
    for (const [name, sampler] of shuffle([...contestants])) {
      const sample = await sampler(round);
      if (round >= 0) samples.get(name)?.push(sample);
    }
  }
  return samples;
}

/** Runs a comparison, prints its table and adds its findings to those of the context. */
export async function compare(comparison: Comparison, { print, findings }: BenchContext): Promise<void> {
  const samples = [...(await runRounds(comparison))];
  const [subject, own] = samples[0]!;
  const rows = samples.map(([name, theirs]) => {
    const [time, cpu] = [speedRatio(own, theirs, 'time'), speedRatio(own, theirs, 'cpu')];
    if (name !== subject) findings.push({ comparison: comparison.title, other: name, time, cpu });
    const took = (['time', 'cpu'] as const).map((quantity) => median(theirs.map((each) => each[quantity])));
    return [
      name,
      ...took.map(microseconds),
      ...(name === subject ? ['1', '1'] : [time, cpu].map(showEstimate)),
    ];
  });
  print(`### ${comparison.title}`);
  print(table(['', 'time', 'CPU', `${subject} ÷ it, time`, `${subject} ÷ it, CPU`], rows));
}
