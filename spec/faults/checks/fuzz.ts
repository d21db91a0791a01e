// Walks through thousands of changed and random files, with work in proportion to their length.
import fc from 'fast-check';
import type { ImageFormat } from '../../../lib/image/formats.js';
import { hostileFiles, walkHostileFile } from '../../support/walk-fuzz.js';
import { assertProperty, countsOf, type Check } from '../support/check.js';

export const fuzz =
  (format: ImageFormat): Check =>
  async ({ times }) => {
    const tally: Record<string, number> = {};
    let most = 0;
    const property = fc.asyncProperty(await hostileFiles(format), async (bytes) => {
      const { verdict, steps } = await walkHostileFile(format, bytes);
      tally[verdict] = (tally[verdict] ?? 0) + 1;
      most = Math.max(most, steps / Math.max(1, bytes.length));
    });
    await assertProperty(property, times(10_000));
    return `${countsOf(tally)}; ${most.toFixed(2)} steps a byte at most`;
  };
