// One comparison: a subject, a control (the subject again) and others, sampled in shuffled rounds.
import type { BenchContext } from './context.js';
import { duration, showEstimate, table } from './format.js';
import { median, shuffle, speedRatio, type Sample } from './statistics.js';

/** Takes one sample in a round; rounds below 0 are warm-up. */
export type Sampler = (round: number) => Promise<Sample>;

/** By the names of the table: first the subject, then its control. */
export type Contestants = ReadonlyMap<string, Sampler>;

/** Samples each contestant once in each round, in an order shuffled anew, after a sixth as many warm-up rounds. */
export async function runRounds(contestants: Contestants, rounds: number): Promise<Map<string, Sample[]>> {
  const samples = new Map([...contestants.keys()].map((name) => [name, [] as Sample[]]));
  for (let round = -Math.ceil(rounds / 6); round < rounds; round++) {
    for (const [name, sampler] of shuffle([...contestants])) {
      const sample = await sampler(round);
      if (round >= 0) samples.get(name)?.push(sample);
    }
  }
  return samples;
}

/** Runs a comparison, prints its table and adds its ratios to the findings. */
export async function compare(
  title: string,
  contestants: Contestants,
  rounds: number,
  { quick, print, findings }: BenchContext,
): Promise<void> {
  const samples = [...(await runRounds(contestants, quick ? 2 : rounds))];
  const [subject, own] = samples[0]!;
  const rows = samples.map(([name, theirs]) => {
    const took = (['time', 'cpu'] as const).map((of) => duration(median(theirs.map((each) => each[of]))));
    if (name === subject) return [name, ...took, '1', '1'];
    const [time, cpu] = [speedRatio(own, theirs, 'time'), speedRatio(own, theirs, 'cpu')];
    findings.push({ title, other: name, ratio: cpu.median });
    return [name, ...took, showEstimate(time), showEstimate(cpu)];
  });
  print(`### ${title}`);
  print(table(['', 'time', 'CPU', `${subject} ÷ it, time`, `${subject} ÷ it, CPU`], rows));
}
