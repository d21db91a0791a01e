// Names of links and special files, and folders that change while an image is rendered.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  watch,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { number, type Check } from '../support/check.js';
import { assertNoLeftovers, assertSeed, seedIn, verdictOf } from '../support/files.js';
import { assertPromise } from '../support/assert-promise.js';
import { Server } from '../support/server.js';

/** Names that stand for something other than a file: refused before rendering, or replaced; never followed. */
export const oddNames: Check = async ({ app, folder }) => {
  const savePath = join(folder, 'saved');
  const at = (name: string): string => join(savePath, name);
  const secret = join(folder, 'secret.tif');
  mkdirSync(savePath);
  mkdirSync(at('folder.tif'));
  mkdirSync(join(folder, 'outside'));
  writeFileSync(secret, 'secret');
  execFileSync('mkfifo', [at('fifo.tif')]);
  symlinkSync(join(folder, 'nowhere.tif'), at('dangling.tif'));
  symlinkSync(secret, at('escaping.tif'));
  symlinkSync('folder.tif', at('to-folder.tif'));
  symlinkSync('itself.tif', at('itself.tif'));
  symlinkSync(join(folder, 'outside'), at('out'));
  symlinkSync(join(folder, 'nowhere'), at('gone'));
  linkSync(secret, at('hard.tif'));
  const device = makeDevice(at('device.tif'));
  const expected: Record<string, string> = {
    'folder.tif': 'not-a-file',
    'fifo.tif': 'not-a-file',
    ...(device ? { 'device.tif': 'not-a-file' } : {}),
    'out/image.tif': 'outside-save-path',
    'gone/image.tif': 'folder-missing',
    'fifo.tif/image.tif': 'folder-missing',
    'dangling.tif': 'done',
    'escaping.tif': 'done',
    'to-folder.tif': 'done',
    'itself.tif': 'done',
    'hard.tif': 'done',
  };
  const server = await Server.start({ app, options: { savePath } });
  for (const [index, [name, verdict]] of Object.entries(expected).entries()) {
    const given = verdictOf(await server.save(`whole/${index}/50000`, name));
    assertPromise(given === verdict, `${name}: ${given}, not ${verdict}`);
    if (given === 'done') assertSeed(savePath, name, index);
    if (given === 'done') assertPromise(lstatSync(at(name)).isFile(), `${name} is still a link`);
  }
  assertPromise(readFileSync(secret, 'utf8') === 'secret', 'a file outside was written to');
  assertPromise(readdirSync(join(folder, 'outside')).length === 0, 'a file was made outside');
  assertPromise(!existsSync(join(folder, 'nowhere.tif')), 'a file was made outside, through a dangling link');
  assertNoLeftovers(savePath);
  await server.stop();
  return `${Object.keys(expected).length} names${device ? '' : ' (no device: only root makes them)'}, nothing followed, nothing outside`;
};

function makeDevice(path: string): boolean {
  try {
    execFileSync('mknod', [path, 'c', '1', '3'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** A change of a folder during rendering, before any byte or after half of the image. */
interface Change {
  readonly how: 'gate' | 'half';
  readonly change: (folder: string) => void;
  /** Default: `folder-changed`. */
  readonly verdicts?: readonly string[];
}

/** The decoder opens the temporary file by its name, so it is the first to notice that the file is gone. */
const UNREADABLE = ['folder-changed', 'broken-image'];

const removeFolder = (folder: string): void => {
  rmSync(join(folder, 'saved/in'), { recursive: true });
};
const moveFolder = (folder: string): void => {
  renameSync(join(folder, 'saved/in'), join(folder, 'saved/kept'));
};
const swapFolder = (folder: string): void => {
  moveFolder(folder);
  symlinkSync(join(folder, 'outside'), join(folder, 'saved/in'));
};

const CHANGES: Readonly<Record<string, Change>> = {
  'a folder removed': { how: 'gate', change: removeFolder },
  'a folder removed with the temporary file in it': {
    how: 'half',
    change: removeFolder,
    verdicts: UNREADABLE,
  },
  'a folder removed and made again': {
    how: 'half',
    change: (folder) => {
      removeFolder(folder);
      mkdirSync(join(folder, 'saved/in'));
    },
    verdicts: UNREADABLE,
  },
  'a folder moved away': { how: 'half', change: moveFolder },
  'a folder swapped for a link before the first byte': { how: 'gate', change: swapFolder },
  'a folder swapped for a link in mid-image': { how: 'half', change: swapFolder },
  'the save path swapped for a link': {
    how: 'half',
    change: (folder) => {
      renameSync(join(folder, 'saved'), join(folder, 'kept'));
      mkdirSync(join(folder, 'outside/in'));
      symlinkSync(join(folder, 'outside'), join(folder, 'saved'));
    },
  },
  'a folder made read-only': {
    how: 'gate',
    change: (folder) => {
      chmodSync(join(folder, 'saved/in'), 0o555);
    },
    verdicts: ['not-writable'],
  },
  'a folder put under the name': {
    how: 'half',
    change: (folder) => {
      rmSync(join(folder, 'saved/in/image.tif'));
      mkdirSync(join(folder, 'saved/in/image.tif'));
    },
    verdicts: ['not-a-file'],
  },
  'a link put under the name': {
    how: 'half',
    change: (folder) => {
      rmSync(join(folder, 'saved/in/image.tif'));
      symlinkSync(join(folder, 'outside/image.tif'), join(folder, 'saved/in/image.tif'));
    },
    verdicts: ['done'],
  },
};

/** Each change at a known moment: the renderer was called and waits until the change is done. */
export const changedPlaces: Check = async ({ app, folder }) => {
  // The unprivileged user needs access to this folder.
  chmodSync(folder, 0o755);
  for (const [index, [what, { how, change, verdicts = ['folder-changed'] }]] of Object.entries(
    CHANGES,
  ).entries()) {
    const place = join(folder, String(index));
    for (const path of ['', 'saved', 'saved/in', 'outside']) {
      mkdirSync(join(place, path));
      chmodSync(join(place, path), 0o777);
    }
    const options = { savePath: join(place, 'saved') };
    const server = await Server.start({ app, options, unprivileged: true });
    const first = verdictOf(await server.save('whole/1/50000', 'in/image.tif'));
    assertPromise(first === 'done', `${what}: no first save`);
    const answer = server.save(`${how}/2/4000000/key`, 'in/image.tif');
    await server.asked('key');
    change(place);
    server.go('key');
    const given = verdictOf(await answer);
    assertPromise(verdicts.includes(given), `${what}: ${given}, not ${verdicts.join(' or ')}`);
    await server.letsGoOf(place);
    assertOnlyImages(place, what);
    await server.stop();
  }
  return `${Object.keys(CHANGES).length} changes in mid-render, each answered truly, nothing outside, 0 leftovers`;
};

/** Asserts that every remaining file is a whole picture inside the save path. */
function assertOnlyImages(place: string, what: string): void {
  for (const path of readdirSync(place, { recursive: true, encoding: 'utf8' })) {
    if (!lstatSync(join(place, path)).isFile()) continue;
    assertPromise(path.endsWith('/image.tif'), `${what}: ${path} is left`);
    assertPromise(!path.startsWith('outside'), `${what}: ${path} is outside`);
    assertPromise([1, 2].includes(seedIn(place, path) ?? 0), `${what}: ${path} is no picture of ours`);
  }
}

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

/** Moves a folder away as often as a save makes it, and puts a link in its place for a moment. */
const MOVER = `
  const { renameSync, symlinkSync, unlinkSync } = require('node:fs');
  const [saved, outside] = process.argv.slice(1);
  let moves = 0;
  let over = false;
  process.stdin.on('end', () => { over = true; }).resume();
  const attempt = (call) => { try { call(); return true; } catch { return false; } };
  (function move() {
    if (over) { console.log(moves); return; }
    if (attempt(() => renameSync(saved + '/in', saved + '/kept/' + moves))) moves += 1;
    if (attempt(() => symlinkSync(outside, saved + '/in'))) unlinkSync(saved + '/in');
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
    const given = Object.entries(tally).map(([verdict, count]) => `${number(count)} ${verdict}`);
    const isAllowed = (verdict: string): boolean => ['done', ...verdicts].includes(verdict);
    assertPromise(Object.keys(tally).every(isAllowed), `verdicts: ${given.join(', ')}`);
    await server.stop();
    return `${number(changes)} changes, ${given.join(', ')}; each done is there, nothing outside, 0 leftovers`;
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
