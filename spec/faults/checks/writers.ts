// Many clients save under one name while readers read it.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { number, type Check } from '../support/check.js';
import { assertNoLeftovers, assertSeed, verdictOf } from '../support/files.js';
import { eventually, assertPromise } from '../support/assert-promise.js';
import { seedOf } from '../support/picture.js';
import { Server } from '../support/server.js';

const WRITERS = 64;
const READERS = 4;

/** Every read is one whole picture of one writer, and the last to publish stays. */
export const oneName: Check = async ({ app, folder, times }) => {
  // Long, so that a slow machine is no fault.
  const server = await Server.start({ app, options: { savePath: folder, timeout: 600_000 } });
  assertPromise(
    verdictOf(await server.save('whole/0/500000', 'one.tif')) === 'done',
    'the first save was refused',
  );
  const rounds = times(5);
  let writing = true;
  const seen = new Set<number>();
  let reads = 0;
  const reading = Promise.all(
    Array.from({ length: READERS }, async () => {
      while (writing) {
        const seed = seedOf(await readFile(join(folder, 'one.tif')));
        assertPromise(seed <= rounds * WRITERS, `picture ${seed} was read, which no client has sent`);
        seen.add(seed);
        reads += 1;
      }
    }),
  );
  const saving = Promise.all(
    Array.from({ length: WRITERS }, async (_, writer) => {
      for (let round = 0; round < rounds; round += 1) {
        const seed = round * WRITERS + writer + 1;
        // Some pictures stay in memory, some go through a file.
        const bytes = 100_000 + 30_000 * writer;
        const verdict = verdictOf(await server.save(`stream/${seed}/${bytes}`, 'one.tif'));
        assertPromise(verdict === 'done', `one of many writers was refused: ${verdict}`);
      }
    }),
  );
  await Promise.race([saving, reading]).finally(() => (writing = false));
  await Promise.all([saving, reading]);
  assertNoLeftovers(folder);
  await server.stop();
  return `${WRITERS} writers, ${number(rounds * WRITERS)} saves, ${number(reads)} whole reads of ${seen.size} pictures, 0 torn`;
};

/** With `overwrite: false`, exactly one of many simultaneous saves wins, and the file is its picture. */
export const oneWinner: Check = async ({ app, folder, times }) => {
  const server = await Server.start({ app, options: { savePath: folder, overwrite: false } });
  const rounds = times(10);
  for (let round = 0; round < rounds; round += 1) {
    const name = `${round}.tif`;
    const keys = Array.from({ length: WRITERS }, (_, writer) => `${round}-${writer}`);
    const answers = keys.map((key, writer) => server.save(`gate/${writer}/50000/${key}`, name));
    // All saves have found the name free.
    await Promise.all(keys.map((key) => server.asked(key)));
    for (const key of keys) server.go(key);
    const verdicts = (await Promise.all(answers)).map(verdictOf);
    const winners = verdicts.flatMap((verdict, writer) => (verdict === 'done' ? [writer] : []));
    assertPromise(winners.length === 1, `${winners.length} of ${WRITERS} writers won`);
    assertPromise(
      verdicts.filter((verdict) => verdict === 'file-exists').length === WRITERS - 1,
      `the others got ${verdicts.join()}`,
    );
    assertSeed(folder, name, winners[0]!);
  }
  await eventually(() => server.saved.length === rounds * WRITERS, 'some saves are not reported');
  assertNoLeftovers(folder);
  await server.stop();
  return `${rounds} rounds of ${WRITERS} writers, 1 winner in each, the winner's picture in the file`;
};
