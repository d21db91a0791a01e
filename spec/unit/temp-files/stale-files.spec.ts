// The sweeper removes temporary files that killed processes left behind, and nothing else.
import { mkdir, readdir, readFile, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { StaleFileSweeper, temporaryName, type SweepableDir } from '../../../lib/temp-files/stale-files.js';
import { DirectoryHandle } from '../../../lib/stores/folder/directory.js';
import { descriptorsBelow, testOnLinux, testWithLinks, useTempDir } from '../../support/temp-dir.js';

const inFolder = useTempDir();

let folder: DirectoryHandle;

beforeEach(async () => {
  await mkdir(inFolder('saved'));
  await mkdir(inFolder('outside'));
  folder = await DirectoryHandle.open(inFolder('saved'));
});
afterEach(() => {
  folder.close();
});

const inSaved = (): Promise<string[]> => readdir(inFolder('saved'));

it('the name of a temporary file is hidden, contains the lifetime and cannot be guessed', () => {
  const names = Array.from({ length: 100 }, () => temporaryName(60_000));
  for (const name of names) expect(name).toMatch(/^\.image-save-60000-[0-9a-f]{32}\.tmp$/);
  expect(new Set(names).size).toBe(100);
  // Every digit is random except the version of the UUID.
  const indexes = Array.from({ length: 32 }, (_, at) => '.image-save-60000-'.length + at);
  const fixed = indexes.filter((index) => new Set(names.map((name) => name[index])).size === 1);
  expect(fixed.length).toBeLessThanOrEqual(1);
});

/** The name of a temporary file with these digits. */
function nameOf(digits: string, lifetime = 60_000): string {
  return `.image-save-${lifetime}-${digits}.tmp`;
}

describe('sweeping', () => {
  const LIFETIME = 60_000;
  const OURS = nameOf('0123456789abcdef'.repeat(2));
  /** The time of the clock while a folder is swept. */
  const NOW = Date.UTC(2026, 10, 22, 13, 28);

  const sweepAt = async (
    sweeper: StaleFileSweeper,
    now: number,
    swept: SweepableDir = folder,
  ): Promise<void> => {
    const clock = jest.spyOn(Date, 'now').mockReturnValue(now);
    await sweeper.sweep(swept);
    clock.mockRestore();
  };
  const age = (name: string, milliseconds: number): Promise<void> =>
    utimes(inFolder('saved', name), new Date(NOW - milliseconds), new Date(NOW - milliseconds));
  const leave = async (name: string, milliseconds: number): Promise<void> => {
    await writeFile(inFolder('saved', name), 'left');
    await age(name, milliseconds);
  };

  it('removes files that killed processes left, and none that a running save may use', async () => {
    await leave(temporaryName(LIFETIME), LIFETIME + 1000);
    await leave(OURS, 365 * 24 * 3_600_000);
    const used = { [nameOf('a'.repeat(32))]: LIFETIME - 1000, [nameOf('b'.repeat(32))]: LIFETIME };
    for (const [name, milliseconds] of Object.entries(used)) await leave(name, milliseconds);
    await leave(nameOf('c'.repeat(32)), -LIFETIME);
    await sweepAt(new StaleFileSweeper(LIFETIME), NOW);
    expect(await inSaved()).toEqual([...Object.keys(used), nameOf('c'.repeat(32))]);
  });

  it('uses the lifetime in the name instead of its own', async () => {
    const [long, short] = [nameOf('a'.repeat(32), 3_600_000), nameOf('b'.repeat(32), 1000)];
    await leave(long, 3_600_000 - 1000);
    await leave(short, 2000);
    await sweepAt(new StaleFileSweeper(LIFETIME), NOW);
    expect(await inSaved()).toEqual([long]);
    await sweepAt(new StaleFileSweeper(LIFETIME), NOW + 2000);
    expect(await inSaved()).toEqual([]);
  });

  it('leaves files with other names', async () => {
    const zeros = '0'.repeat(32);
    const names = [
      'a.png',
      `image-save-1-${zeros}.tmp`,
      '.image-save-1-.tmp',
      `.image-save-${zeros}.tmp`,
      `.image-save--${zeros}.tmp`,
      `.image-save-x-${zeros}.tmp`,
      `.image-save-1e3-${zeros}.tmp`,
      nameOf('0'.repeat(31)),
      nameOf('0'.repeat(33)),
      nameOf('A'.repeat(32)),
      nameOf('g'.repeat(32)),
      `${nameOf(zeros)}.png`,
      // Windows has no such name.
      ...(process.platform === 'win32' ? [] : [`${nameOf(zeros)}\n`]),
      `x${nameOf(zeros)}`,
      `.image-save-1-${zeros}xtmp`,
    ];
    for (const name of names) await leave(name, 100 * LIFETIME);
    await sweepAt(new StaleFileSweeper(LIFETIME), NOW);
    expect(await inSaved()).toEqual(names.sort());
  });

  testWithLinks('leaves folders and links', async () => {
    await mkdir(inFolder('saved', OURS));
    await age(OURS, 100 * LIFETIME);
    await writeFile(inFolder('outside/a'), 'kept');
    await utimes(inFolder('outside/a'), 0, 0);
    const linked = nameOf('c'.repeat(32));
    await symlink(inFolder('outside/a'), inFolder('saved', linked));
    await sweepAt(new StaleFileSweeper(LIFETIME), NOW + 365 * 24 * 3_600_000);
    expect(await inSaved()).toEqual([OURS, linked].sort());
    expect(await readFile(inFolder('outside/a'), 'utf8')).toBe('kept');
  });

  it('sweeps a folder again only after the lifetime', async () => {
    const sweeper = new StaleFileSweeper(LIFETIME);
    await sweepAt(sweeper, NOW);
    await leave(OURS, 100 * LIFETIME);
    await sweepAt(sweeper, NOW + 1);
    await sweepAt(sweeper, NOW + LIFETIME - 1);
    expect(await inSaved()).toEqual([OURS]);
    await sweepAt(sweeper, NOW + LIFETIME);
    expect(await inSaved()).toEqual([]);
  });

  it('sweeps each folder, once per middleware', async () => {
    const sweeper = new StaleFileSweeper(LIFETIME);
    const outside = await DirectoryHandle.open(inFolder('outside'));
    await leave(`../outside/${OURS}`, 100 * LIFETIME);
    await sweepAt(sweeper, NOW);
    await sweepAt(sweeper, NOW, outside);
    expect(await readdir(inFolder('outside'))).toEqual([]);
    outside.close();
    await leave(OURS, 100 * LIFETIME);
    await sweepAt(new StaleFileSweeper(LIFETIME), NOW + 1);
    expect(await inSaved()).toEqual([]);
  });

  it('resolves if the folder was removed', async () => {
    await rm(inFolder('saved'), { recursive: true });
    await sweepAt(new StaleFileSweeper(LIFETIME), NOW);
  });

  it('goes on if another process removes a file first', async () => {
    const names = Array.from({ length: 50 }, (_, at) => nameOf(String(at).padStart(32, '0')));
    for (const name of names) await leave(name, 100 * LIFETIME);
    await Promise.all(
      [new StaleFileSweeper(LIFETIME), new StaleFileSweeper(LIFETIME)].map((sweeper) =>
        sweeper.sweep(folder),
      ),
    );
    expect(await inSaved()).toEqual([]);
  });

  testOnLinux('stays in the checked folder, and leaves no other fd open', async () => {
    await leave(OURS, 100 * LIFETIME);
    await leave(`../outside/${OURS}`, 100 * LIFETIME);
    await rename(inFolder('saved'), inFolder('moved'));
    await symlink(inFolder('outside'), inFolder('saved'));
    await sweepAt(new StaleFileSweeper(LIFETIME), NOW);
    expect(await readdir(inFolder('moved'))).toEqual([]);
    expect(await readdir(inFolder('outside'))).toEqual([OURS]);
    expect(await descriptorsBelow(inFolder())).toEqual([inFolder('moved')]);
  });

  it('remembers a limited number of folders', async () => {
    // More folders than the sweeper remembers.
    const sweeper = new StaleFileSweeper(LIFETIME);
    const known = await DirectoryHandle.open(inFolder('outside'));
    await sweepAt(sweeper, NOW, known);
    const clock = jest.spyOn(Date, 'now').mockReturnValue(NOW);
    for (let count = 0; count < 10_000; count++) {
      await sweeper.sweep({ path: `/gone/${count}`, join: () => inFolder('nowhere') });
    }
    clock.mockRestore();
    await leave(`../outside/${OURS}`, 100 * LIFETIME);
    // The sweeper has forgotten this folder, and sweeps it again.
    await sweepAt(sweeper, NOW, known);
    expect(await readdir(inFolder('outside'))).toEqual([]);
    known.close();
  });
});
