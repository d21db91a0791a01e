// What lib/sweeper.ts removes from a folder, and what it leaves: only what a killed process of ours has left behind.
import { mkdir, readdir, readFile, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { StaleFileSweeper, temporaryName, type SweepableDir } from '../../../lib/temp-files/stale-files.js';
import { DirectoryHandle } from '../../../lib/stores/folder/target.js';
import { descriptorsBelow, onLinux, useFolder } from '../../support/temp-dir.js';

const inFolder = useFolder();

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

describe('the name of a temporary file', () => {
  it('is hidden, and nobody can guess it', () => {
    const names = Array.from({ length: 100 }, temporaryName);
    for (const name of names) expect(name).toMatch(/^\.image-save-[0-9a-f]{32}\.tmp$/);
    expect(new Set(names).size).toBe(100);
    // All its places but those that say what kind of random number it is differ from name to name.
    const places = Array.from({ length: 32 }, (_, at) => '.image-save-'.length + at);
    const fixed = places.filter((place) => new Set(names.map((name) => name[place])).size === 1);
    expect(fixed.length).toBeLessThanOrEqual(1);
  });
});

describe('sweeping', () => {
  const MAX_AGE = 60_000;
  const OURS = `.image-save-${'0123456789abcdef'.repeat(2)}.tmp`;
  /** What the clock shows while a folder is swept. */
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

  it('removes what a killed process left', async () => {
    const other = `.image-save-${'f'.repeat(32)}.tmp`;
    await leave(OURS, MAX_AGE + 1000);
    await leave(other, 365 * 24 * 3_600_000);
    await sweepAt(new StaleFileSweeper(MAX_AGE), NOW);
    expect(await inSaved()).toEqual([]);
  });

  it('knows the names that temporary files are given', async () => {
    await leave(temporaryName(), MAX_AGE + 1000);
    await sweepAt(new StaleFileSweeper(MAX_AGE), NOW);
    expect(await inSaved()).toEqual([]);
  });

  it('leaves what may belong to a save that still runs', async () => {
    await leave(OURS, MAX_AGE - 1000);
    await leave(`.image-save-${'a'.repeat(32)}.tmp`, MAX_AGE);
    await leave(`.image-save-${'b'.repeat(32)}.tmp`, -MAX_AGE);
    await sweepAt(new StaleFileSweeper(MAX_AGE), NOW);
    expect(await inSaved()).toHaveLength(3);
  });

  it('leaves all that is not ours by its name', async () => {
    const names = [
      'a.png',
      'image-save-0123456789abcdef0123456789abcdef.tmp',
      '.image-save-.tmp',
      `.image-save-${'0'.repeat(31)}.tmp`,
      `.image-save-${'0'.repeat(33)}.tmp`,
      `.image-save-${'A'.repeat(32)}.tmp`,
      `.image-save-${'g'.repeat(32)}.tmp`,
      `.image-save-${'0'.repeat(32)}.tmp.png`,
      `.image-save-${'0'.repeat(32)}.tmp\n`,
      `x.image-save-${'0'.repeat(32)}.tmp`,
      `.image-save-${'0'.repeat(32)}xtmp`,
    ];
    for (const name of names) await leave(name, 100 * MAX_AGE);
    await sweepAt(new StaleFileSweeper(MAX_AGE), NOW);
    expect(await inSaved()).toEqual(names.sort());
  });

  it('leaves what is not a file', async () => {
    await mkdir(inFolder('saved', OURS));
    await age(OURS, 100 * MAX_AGE);
    await writeFile(inFolder('outside/a'), 'kept');
    await utimes(inFolder('outside/a'), 0, 0);
    const linked = `.image-save-${'c'.repeat(32)}.tmp`;
    await symlink(inFolder('outside/a'), inFolder('saved', linked));
    await sweepAt(new StaleFileSweeper(MAX_AGE), NOW + 365 * 24 * 3_600_000);
    expect(await inSaved()).toEqual([OURS, linked].sort());
    expect(await readFile(inFolder('outside/a'), 'utf8')).toBe('kept');
  });

  it('does not go into other folders', async () => {
    await mkdir(inFolder('saved/shoes'));
    await leave(`shoes/${OURS}`, 100 * MAX_AGE);
    await sweepAt(new StaleFileSweeper(MAX_AGE), NOW);
    expect(await readdir(inFolder('saved/shoes'))).toEqual([OURS]);
  });

  it('looks into a folder once, until what was too young then is old enough', async () => {
    const sweeper = new StaleFileSweeper(MAX_AGE);
    await sweepAt(sweeper, NOW);
    await leave(OURS, 100 * MAX_AGE);
    await sweepAt(sweeper, NOW + 1);
    await sweepAt(sweeper, NOW + MAX_AGE - 1);
    expect(await inSaved()).toEqual([OURS]);
    await sweepAt(sweeper, NOW + MAX_AGE);
    expect(await inSaved()).toEqual([]);
  });

  it('looks into each folder, and each middleware looks for itself', async () => {
    const sweeper = new StaleFileSweeper(MAX_AGE);
    const outside = await DirectoryHandle.open(inFolder('outside'));
    await writeFile(inFolder('outside', OURS), '');
    await utimes(inFolder('outside', OURS), 0, 0);
    await sweepAt(sweeper, NOW);
    await sweepAt(sweeper, NOW, outside);
    expect(await readdir(inFolder('outside'))).toEqual([]);
    outside.close();
    await leave(OURS, 100 * MAX_AGE);
    await sweepAt(new StaleFileSweeper(MAX_AGE), NOW + 1);
    expect(await inSaved()).toEqual([]);
  });

  it('looks into a folder that is known by its path alone', async () => {
    await leave(OURS, 100 * MAX_AGE);
    const path = inFolder('saved');
    await sweepAt(new StaleFileSweeper(MAX_AGE), NOW, { path, join: (entry) => inFolder('saved', entry) });
    expect(await inSaved()).toEqual([]);
  });

  it('survives a folder that has vanished', async () => {
    await rm(inFolder('saved'), { recursive: true });
    await sweepAt(new StaleFileSweeper(MAX_AGE), NOW);
  });

  it('survives a file that somebody else removes first', async () => {
    const names = Array.from({ length: 50 }, (_, at) => `.image-save-${String(at).padStart(32, '0')}.tmp`);
    for (const name of names) await leave(name, 100 * MAX_AGE);
    await Promise.all(
      [new StaleFileSweeper(MAX_AGE), new StaleFileSweeper(MAX_AGE)].map((sweeper) => sweeper.sweep(folder)),
    );
    expect(await inSaved()).toEqual([]);
  });

  onLinux('by its descriptor', () => {
    it('stays in the folder that was checked, and leaves it closed', async () => {
      await leave(OURS, 100 * MAX_AGE);
      await writeFile(inFolder('outside', OURS), '');
      await utimes(inFolder('outside', OURS), 0, 0);
      await rename(inFolder('saved'), inFolder('moved'));
      await symlink(inFolder('outside'), inFolder('saved'));
      await sweepAt(new StaleFileSweeper(MAX_AGE), NOW);
      expect(await readdir(inFolder('moved'))).toEqual([]);
      expect(await readdir(inFolder('outside'))).toEqual([OURS]);
      expect(await descriptorsBelow(inFolder())).toEqual([inFolder('moved')]);
    });
  });

  it('keeps the memory of folders small', async () => {
    // More folders than are remembered: known by nothing but their paths, as the sweeper knows them.
    const sweeper = new StaleFileSweeper(MAX_AGE);
    const known = await DirectoryHandle.open(inFolder('outside'));
    await sweepAt(sweeper, NOW, known);
    for (let count = 0; count < 10_000; count++) {
      await sweepAt(sweeper, NOW, { path: `/gone/${count}`, join: () => inFolder('nowhere') });
    }
    await writeFile(inFolder('outside', OURS), '');
    await utimes(inFolder('outside', OURS), 0, 0);
    // It has been forgotten, and is swept once more.
    await sweepAt(sweeper, NOW, known);
    expect(await readdir(inFolder('outside'))).toEqual([]);
    known.close();
  });
});
