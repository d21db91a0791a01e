// What the parts of the bench have in common: what they are given, and what they give back.
import type { Helper } from './processes.js';
import { ratioTo, runRounds, type Contest, type Finding, type Slice } from './rounds.js';
import { contestTable } from './tables.js';

export interface Surroundings {
  readonly client: Helper;
  /** The folder of everything that is written: fresh, removed at the end. */
  readonly folder: string;
  /** The save path, in that folder. */
  readonly root: string;
  readonly rounds: number;
  /** Only to see that it works: requests are few and numbers mean nothing. */
  readonly quick: boolean;
  /** What the names of the contests between ways to save must contain. */
  readonly only: string;
  /** Prints a table or a line in Markdown, and keeps it for the results. */
  readonly say: (text: string) => void;
  /** Where what was found is noted, as soon as it is. */
  readonly findings: Findings;
}

/** What has been found, by the names that the targets have for it. */
export type Findings = Map<string, Finding>;

/** What fails in it does not take what it has said and found before. */
export type Part = (surroundings: Surroundings) => Promise<void>;

/** Runs a contest and notes each ratio as `contest ÷ other, quantity`. */
export async function hold(contest: Contest, { rounds, say, findings }: Surroundings): Promise<void> {
  const outcome = await runRounds(contest, rounds);
  for (const other of outcome.series.keys()) {
    if (other === contest.subject) continue;
    for (const quantity of ['wall', 'cpu'] satisfies (keyof Slice)[]) {
      findings.set(`${contest.name} ÷ ${other}, ${quantity}`, ratioTo(outcome, other, quantity));
    }
  }
  say(contestTable(outcome));
}

/** As many as asked for, or next to none. */
export function fewer(surroundings: Surroundings, requests: number, least = 1): number {
  return surroundings.quick ? Math.max(least, Math.ceil(requests / 20)) : requests;
}
