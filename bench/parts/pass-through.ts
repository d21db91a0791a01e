// What every request pays that is no save: bare Express, a middleware that does nothing, and this one.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Helper } from '../processes.js';
import { fewer, hold, type Surroundings } from '../part.js';
import { spread } from '../rounds.js';
import type { Kind } from '../kinds.js';
import type { Variant } from '../server.js';
import { measure, startTogether } from '../slices.js';
import { show } from '../tables.js';

export async function passThrough(surroundings: Surroundings): Promise<void> {
  const { client, root, folder } = surroundings;
  const file = join(folder, 'small.jpg');
  writeFileSync(file, 'ok');
  const variant = (kind: Kind): Variant => ({
    ...{ kind, root, verify: 'header', durable: false },
    source: { file, by: 'end' },
  });
  // In one process: the differences are smaller than those between two processes of the same code.
  const kinds = ['image-save', 'bare', 'no-op', 'image-save'] as const;
  const [save, bare, noOp, twin] = await startTogether(client, kinds.map(variant));
  if (save === undefined || bare === undefined || noOp === undefined || twin === undefined) {
    throw new Error('Not all variants have been started');
  }
  const load = { requests: fewer(surroundings, 2000), connections: 16, withoutCommand: true };
  // The ratio that is asked for is one of percents: more rounds bring its median nearer to the truth.
  await hold(
    {
      name: 'pass-through',
      subject: 'imageSave',
      variants: new Map([
        ['imageSave', measure(save, load, 'pass-save')],
        ['bare Express', measure(bare, load, 'pass-bare')],
        ['a middleware that does nothing', measure(noOp, load, 'pass-no-op')],
      ]),
      twin: measure(twin, load, 'pass-twin'),
    },
    { ...surroundings, rounds: 2 * surroundings.rounds },
  );
  await save.stop();
  const look = await lookAtUrls(surroundings);
  surroundings.findings.set('the look at a URL, ns', look);
  surroundings.say(`The look at a URL with a query of 60 characters: ${show(look, ' ns')}.`);
}

async function lookAtUrls(surroundings: Surroundings): Promise<ReturnType<typeof spread>> {
  const checker = new Helper('checker.ts');
  const nanoseconds: number[] = [];
  for (let round = 0; round <= surroundings.rounds; round++) {
    const took = await checker.ask<number>('look', { times: fewer(surroundings, 1_000_000) });
    if (round > 0) nanoseconds.push(took);
  }
  await checker.stop();
  return spread(nanoseconds);
}
