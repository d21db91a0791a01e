// Folders that change at random moments while saves go on.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { lstatSync, mkdirSync, readdirSync, watch } from 'node:fs';
import { basename, join } from 'node:path';
import { countsOf, number, type Check } from '../support/check.js';
import { assertSeed, verdictOf } from '../support/files.js';
import { assertPromise } from '../support/assert-promise.js';
import { Server } from '../support/server.js';

/** Swaps a folder for a link and back, until its input ends; prints how often. */
const SWAPPER = `
  const { renameSync, symlinkSync, unlinkSync } = require('node:fs');
  const [saved, outside] = process.argv.slice(1);
  let swaps = 0;
  let over = false;
  process.stdin.on('end', () => { over = true; }).resume();
  (function swap() {
    if (over) { console.log(swaps); return; }
    renameSync(saved + '/in', saved + '/kept');
    symlinkSync(outside, saved + '/in');
    unlinkSync(saved + '/in');
    renameSync(saved + '/kept', saved + '/in');
    swaps += 1;
    setImmediate(swap);
  })();
`;

/** Moves a folder away as often as a save makes it; a link lies in its place half of the time. */
const MOVER = `
  const { renameSync, symlinkSync, unlinkSync } = require('node:fs');
  const [saved, outside] = process.argv.slice(1);
  let moves = 0;
  let over = false;
  process.stdin.on('end', () => { over = true; }).resume();
  const attempt = (call) => { try { call(); return true; } catch { return false; } };
  (function move() {
    if (over) { console.log(moves); return; }
    // The name is free, a save's folder or the link of the last time.
    if (!attempt(() => unlinkSync(saved + '/in'))) {
      if (attempt(() => renameSync(saved + '/in', saved + '/kept/' + moves))) moves += 1;
      attempt(() => symlinkSync(outside, saved + '/in'));
    }
    setTimeout(move, 1);
  })();
`;

/** A program that changes the places of eight savers at random moments. */
interface Race {
  readonly program: string;
  readonly createFolders: boolean;
  /** What the renderer sends, and the name, for each seed. */
  readonly save: (seed: number) => readonly [how: string, name: string];
  readonly verdicts: readonly string[];
}

const hold =
  ({ program, createFolders, save, verdicts }: Race): Check =>
  async ({ app, folder, times }) => {
    const [savePath, outside] = [join(folder, 'saved'), join(folder, 'outside')];
    const folders = createFolders ? ['kept'] : ['kept', 'in'];
    for (const path of folders) mkdirSync(join(savePath, path), { recursive: true });
    mkdirSync(outside);
    const server = await Server.start({ app, options: { savePath, durable: false, createFolders } });
    let seenOutside = '';
    // Also notices a file outside that is removed at once.
    const watcher = watch(outside, (event, name) => (seenOutside = `${event} ${name}`));
    const changer = spawn(process.execPath, ['-e', program, savePath, outside], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const tally: Record<string, number> = {};
    let [seed, changes] = [0, 0];
    const most = times(600);
    const saveSome = async (): Promise<void> => {
      while (seed < most && seenOutside === '') {
        const verdict = verdictOf(await server.save(...save((seed += 1))));
        tally[verdict] = (tally[verdict] ?? 0) + 1;
      }
    };
    try {
      await Promise.all(Array.from({ length: 8 }, saveSome));
    } finally {
      watcher.close();
      changes = await end(changer);
    }
    assertPromise(seenOutside === '', `something was made outside: ${seenOutside}`);
    assertPromise(readdirSync(outside).length === 0, 'something is outside');
    await server.letsGoOf(savePath);
    const paths = readdirSync(savePath, { recursive: true, encoding: 'utf8' });
    const files = paths.filter((path) => lstatSync(join(savePath, path)).isFile());
    const done = tally['done'] ?? 0;
    assertPromise(files.length === done, `${files.length} files of ${done} that were done`);
    for (const path of files) assertSeed(savePath, path, Number.parseInt(basename(path), 10));
    const given = countsOf(tally);
    const isAllowed = (verdict: string): boolean => ['done', ...verdicts].includes(verdict);
    assertPromise(Object.keys(tally).every(isAllowed), `verdicts: ${given}`);
    await server.stop();
    return `${number(changes)} changes, ${given}; each done is there, nothing outside, 0 leftovers`;
  };

/** The same changes as a race. */
export const race = hold({
  program: SWAPPER,
  createFolders: false,
  save: (seed) => [`${seed % 2 === 0 ? 'whole' : 'stream'}/${seed}/1200000`, `in/${seed}.tif`],
  verdicts: ['folder-changed', 'folder-missing', 'outside-save-path'],
});

/** Folders that saves create, while another process moves them and puts links in their place. */
export const createdFolders = hold({
  program: MOVER,
  createFolders: true,
  save: (seed) => [`whole/${seed}/20000`, `in/a/${seed % 5}/${seed}.tif`],
  verdicts: ['folder-changed', 'folder-missing', 'outside-save-path', 'save-path-missing'],
});

/** Ends the swapping. Returns how often it was done. */
async function end(swapper: ChildProcess): Promise<number> {
  let said = '';
  swapper.stdout?.on('data', (text: Buffer) => (said += text.toString()));
  const closed = once(swapper, 'close');
  swapper.stdin?.end();
  await closed;
  return Number(said);
}
