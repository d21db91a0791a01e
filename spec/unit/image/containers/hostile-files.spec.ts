// The same files in every run; `npm run test:faults` walks many more, and different ones.
import fc from 'fast-check';
import { FORMATS, hostileFiles, walkHostileFile } from '../../../support/walk-fuzz.js';

it.each(FORMATS)(
  'walks changed and random %s files in steps and reads in proportion to their length',
  async (format) => {
    const verdicts = new Set<string>();
    await fc.assert(
      fc.asyncProperty(await hostileFiles(format), async (bytes) => {
        verdicts.add((await walkHostileFile(format, bytes)).verdict);
      }),
      { numRuns: 300, seed: 13 },
    );
    // If all files were refused at their first bytes, the test would prove nothing.
    expect(verdicts).toContain('whole');
    expect(verdicts).toContain('incomplete-image');
  },
);
