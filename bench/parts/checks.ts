// The check that an image is whole, format by format, against other looks at the same image.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Look, Looking } from '../checker.js';
import { photograph } from '../images.js';
import { fewer, hold, type Surroundings } from '../part.js';
import { Helper } from '../processes.js';
import type { Measure, Slice } from '../rounds.js';

const LOOKS: readonly (readonly [string, Look])[] = [
  ['the check', 'pixels'],
  ['the header only', 'header'],
  ['metadata()', 'metadata'],
  ['full decode', 'decode'],
  ['stats()', 'stats'],
];

export async function checks(surroundings: Surroundings): Promise<void> {
  const checker = new Helper('checker.ts');
  for (const [name, file] of await makeImages(surroundings)) {
    const measure =
      (look: Look): Measure =>
      async () => {
        await checker.ask('collectGarbage');
        const times = fewer(surroundings, 3);
        return checker.ask<Slice>('check', { look, file, times } satisfies Looking);
      };
    const contest = {
      name: `check of ${name}`,
      subject: 'the check',
      variants: new Map(LOOKS.map(([label, look]) => [label, measure(look)])),
      twin: measure('pixels'),
    };
    await hold(contest, surroundings);
  }
  await checker.stop();
}

/** The same photograph of more than a megapixel in all formats. */
async function makeImages({ folder, quick }: Surroundings): Promise<[string, string][]> {
  const [width, height] = quick ? [320, 240] : [1350, 900];
  const image = await photograph(width, height);
  const made: [string, Promise<Buffer>][] = [
    ['JPEG', image.clone().jpeg({ quality: 85 }).toBuffer()],
    ['progressive JPEG', image.clone().jpeg({ quality: 85, progressive: true }).toBuffer()],
    ['PNG', image.clone().png().toBuffer()],
    ['WebP', image.clone().webp().toBuffer()],
    ['AVIF', image.clone().avif({ effort: 2 }).toBuffer()],
    ['GIF', image.clone().gif({ effort: 1 }).toBuffer()],
    ['TIFF', image.clone().tiff({ compression: 'lzw' }).toBuffer()],
  ];
  return Promise.all(
    made.map(async ([name, bytes]): Promise<[string, string]> => {
      const file = join(folder, `check-${name}`.replaceAll(' ', '-'));
      writeFileSync(file, await bytes);
      return [name, file];
    }),
  );
}
