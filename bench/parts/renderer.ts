// Saving behind a real renderer: a photograph of 12 megapixels, scaled to 800 pixels for each request.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { photograph } from '../images.js';
import { fewer, hold, type Surroundings } from '../part.js';
import type { Variant } from '../server.js';
import { measure, startAlone } from '../slices.js';

export async function renderer(surroundings: Surroundings): Promise<void> {
  const { client, root, folder, quick } = surroundings;
  const scale = join(folder, 'source.jpg');
  const source = quick ? await photograph(600, 400) : await photograph(4240, 2830);
  writeFileSync(scale, await source.jpeg({ quality: 90 }).toBuffer());
  const load = { requests: fewer(surroundings, 16), connections: 4 };
  for (const [name, verify, durable] of [
    ['real renderer, everything on', 'pixels', true],
    ['real renderer, both off', 'header', false],
  ] as const) {
    const variant = (kind: 'bare' | 'image-save'): Variant => ({
      ...{ kind, root, verify, durable },
      source: { scale, width: 800 },
    });
    const running = await Promise.all(
      (['image-save', 'bare', 'image-save'] as const).map((kind) => startAlone(client, variant(kind))),
    );
    const [save, plain, twin] = running.map((each, index) => measure(each, load, `${name}-${index}`));
    if (save === undefined || plain === undefined || twin === undefined) throw new Error('No variants');
    const variants = new Map([
      ['imageSave', save],
      ['plain delivery', plain],
    ]);
    await hold({ name, subject: 'imageSave', variants, twin }, surroundings);
    await Promise.all(running.map(({ stop }) => stop()));
  }
}
