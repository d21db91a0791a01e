// Runs the parts of the bench one after the other: what fails in one takes nothing from the others.
import type { Findings, Part, Surroundings } from './part.js';

/** What a part needs, and what is to be done after it. */
export interface Frame {
  readonly begin: (noted: Pick<Surroundings, 'say' | 'findings'>) => Surroundings;
  /** Ends what a part has left running. */
  readonly end: () => Promise<void>;
  /** Whether the bench was interrupted: then nothing goes on. */
  readonly isEnding: () => boolean;
  readonly say: (text: string) => void;
}

/** What all parts have said and found, also those of which some has failed. */
export interface Results {
  readonly texts: readonly string[];
  readonly findings: Findings;
  readonly failed: boolean;
}

/**
 * @param parts Their titles, and how they are run.
 * @throws Error What a part threw when the bench was interrupted.
 */
export async function runParts(parts: readonly (readonly [string, Part])[], frame: Frame): Promise<Results> {
  const findings: Findings = new Map();
  const texts: string[] = [];
  const say = (text: string): void => {
    texts.push(text);
    frame.say(text);
  };
  let failed = false;
  for (const [title, part] of parts) {
    say(`### ${title}`);
    try {
      await part(frame.begin({ say, findings }));
    } catch (error) {
      if (frame.isEnding()) throw error;
      failed = true;
      console.error(error);
      const [why = ''] = (error as Error).message.split('\n');
      say(`The rest of this part has failed: ${why}`);
    }
    await frame.end();
  }
  return { texts, findings, failed };
}
