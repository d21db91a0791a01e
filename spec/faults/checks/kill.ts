// A server that saves all the time is killed at a random moment, again and again; then its leftovers are swept.
import { mkdirSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { number, type Check } from '../support/check.js';
import { seedIn, temporaryFiles, verdictOf } from '../support/files.js';
import { eventually, assertPromise } from '../support/assert-promise.js';
import { Server } from '../support/server.js';

const AT_ONCE = 16;
const SMALLEST = 1_000;
const LARGEST = 20_000_000;
/** Milliseconds. A temporary file older than twice this is stale. */
const MAX_TIMEOUT = 60_000;

/** The saves under one name, one after the other: each has the next number. */
interface Writer {
  readonly name: string;
  sent: number;
  acknowledged: number;
}

export const kill: Check = async ({ app, folder, times }) => {
  const writers = Array.from({ length: AT_ONCE }, (_, index) => ({
    name: `${index}.tif`,
    sent: 0,
    acknowledged: 0,
  }));
  let acknowledged = 0;
  const rounds = times(30);
  for (let round = 0; round < rounds; round += 1) {
    acknowledged += await oneRound(app, folder, writers);
    for (const writer of writers) assertWhole(folder, writer);
  }
  const leftovers = temporaryFiles(folder);
  makeOld(folder, leftovers);
  await savedBeside(app, { savePath: folder, maxTimeout: MAX_TIMEOUT }, 0);
  return (
    `${rounds} rounds, ${number(acknowledged)} acknowledged, 0 torn, 0 missing, ` +
    `${number(leftovers.length)} leftovers swept`
  );
};

async function oneRound(app: string, folder: string, writers: readonly Writer[]): Promise<number> {
  const server = await Server.start({ app, options: { savePath: folder, maxTimeout: MAX_TIMEOUT } });
  let acknowledged = 0;
  const saving = writers.map(async (writer) => {
    // Until the server has ended.
    for (;;) {
      const seed = (writer.sent += 1);
      const how = seed % 2 === 0 ? 'whole' : 'stream';
      const verdict = verdictOf(await server.save(`${how}/${seed}/${someSize()}`, writer.name));
      assertPromise(verdict === 'done', `a save was refused: ${verdict}`);
      writer.acknowledged = seed;
      acknowledged += 1;
    }
  });
  const ended = Promise.allSettled(saving);
  // Counts saves, so that a slow machine gets as far as a fast one, and then waits for a random time.
  const enough = Math.ceil(Math.random() * 2 * AT_ONCE);
  await eventually(() => acknowledged >= enough, 'nothing is saved');
  await new Promise((resolve) => setTimeout(resolve, Math.random() * 30));
  await server.kill();
  for (const end of await ended) {
    if (end.status === 'rejected' && (end.reason as Error).name === 'BrokenPromise') throw end.reason;
  }
  return acknowledged;
}

/** A random length, evenly distributed on a logarithmic scale. */
function someSize(): number {
  return Math.round(SMALLEST * (LARGEST / SMALLEST) ** Math.random());
}

/** Asserts that the file is the last acknowledged picture, or one in progress when the server was killed. */
function assertWhole(folder: string, { name, acknowledged, sent }: Writer): void {
  const seed = seedIn(folder, name) ?? 0;
  assertPromise(seed >= acknowledged, `${name} holds picture ${seed}, but ${acknowledged} was acknowledged`);
  assertPromise(seed <= sent, `${name} holds picture ${seed}, which no client has sent`);
}

/** Asserts that old files of killed servers are removed, and that those of a running server stay. */
export const sweep: Check = async ({ app, folder, times }) => {
  const savePath = join(folder, 'saved');
  mkdirSync(savePath);
  const options = { savePath, maxTimeout: MAX_TIMEOUT };
  const killed = times(3);
  for (let round = 0; round < killed; round += 1) await killInMidSave(app, options, round);
  const leftovers = temporaryFiles(savePath);
  assertPromise(
    leftovers.length === killed,
    `${leftovers.length} young leftovers of ${killed} killed servers are there`,
  );
  const young = await savedBeside(app, options);
  assertPromise(
    young === killed,
    `${killed - young} files were swept that could still have belonged to a save`,
  );

  const neighbour = await Server.start({ app, options });
  const living = neighbour.save('half/1/4000000/living', 'living.tif');
  living.catch(() => undefined);
  await neighbour.asked('living');
  makeOld(savePath, leftovers);
  await savedBeside(app, options, 1);
  assertPromise(temporaryFiles(savePath).length === 1, 'the file of a living neighbour was swept');
  neighbour.go('living');
  assertPromise(verdictOf(await living) === 'done', 'a living neighbour could not finish its save');
  await eventually(() => temporaryFiles(savePath).length === 0, 'the neighbour leaves a temporary file');
  await neighbour.stop();
  return `${killed} leftovers swept when old, 0 while young, a living neighbour's file left alone`;
};

function makeOld(savePath: string, leftovers: readonly string[]): void {
  const old = new Date(Date.now() - 2 * MAX_TIMEOUT - 1_000);
  for (const name of leftovers) utimesSync(join(savePath, name), old, old);
}

async function killInMidSave(
  app: string,
  options: { readonly savePath: string; readonly maxTimeout: number },
  round: number,
): Promise<void> {
  const server = await Server.start({ app, options });
  const save = server.save('half/1/4000000/key', `${round}.tif`).catch(() => undefined);
  await server.asked('key');
  await server.kill();
  await save;
}

/** Saves by a server of its own. Returns how many temporary files there are then; waits for a number, if given. */
async function savedBeside(
  app: string,
  options: { readonly savePath: string; readonly maxTimeout: number },
  remaining?: number,
): Promise<number> {
  const server = await Server.start({ app, options });
  const verdict = verdictOf(await server.save('whole/2/1000', 'beside.tif'));
  assertPromise(verdict === 'done', `a save beside leftovers was refused: ${verdict}`);
  await server.letsGoOf(options.savePath);
  const left = (): number => temporaryFiles(options.savePath).length;
  if (remaining !== undefined) await eventually(() => left() <= remaining, 'leftovers are not swept');
  await server.stop();
  return left();
}
