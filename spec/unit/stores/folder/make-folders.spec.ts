// Creating the missing folders of a name: below the save path alone, whatever changes meanwhile.
import { renameSync, rmSync, symlinkSync } from 'node:fs';
import { mkdir, readdir, stat, symlink, writeFile } from 'node:fs/promises';
import { openTarget } from '../../../../lib/stores/folder/resolve-path.js';
import { built, runInChild } from '../../../support/run-in-child.js';
import { interceptFsCall } from '../../../support/intercept-fs.js';
import { codeOf, refusalOf } from '../../../support/refusal.js';
import { descriptorsBelow, testOnLinux, testWithLinks, useTempDir } from '../../../support/temp-dir.js';
import { usePlatform } from '../../../support/windows.js';

const inFolder = useTempDir();
const CREATE = { overwrite: true, durable: true, createFolders: true };
const depth = (count: number): string => 'd/'.repeat(count) + 'a.png';

/** Resolves a name to the path of its folder. */
async function folderOf(name: string, options = CREATE): Promise<string> {
  const { directory } = await openTarget(inFolder('saved'), name.split('/'), options);
  directory.close();
  return directory.path;
}
const refused = (name: string): Promise<string> => codeOf(() => folderOf(name));
const inSaved = (): Promise<string[]> => readdir(inFolder('saved'), { recursive: true });

beforeEach(async () => {
  await mkdir(inFolder('saved/shoes'), { recursive: true });
  await mkdir(inFolder('outside'));
});
afterEach(async () => {
  jest.restoreAllMocks();
  if (process.platform === 'linux') expect(await descriptorsBelow(inFolder())).toEqual([]);
});

describe.each<[string, NodeJS.Platform]>([
  ['this system', process.platform],
  ['a system without descriptors of folders', 'win32'],
])('missing folders on %s', (_name, platform) => {
  usePlatform(platform);

  it('are created below a folder that exists, and below the save path', async () => {
    expect(await folderOf('shoes/red/small/a.png')).toBe(inFolder('saved/shoes/red/small'));
    expect(await folderOf('hats/a.png')).toBe(inFolder('saved/hats'));
    expect(await folderOf('hats/a.png')).toBe(inFolder('saved/hats'));
  });

  it('are created once by saves at the same time', async () => {
    const opened = await Promise.all(Array.from({ length: 20 }, () => folderOf('hats/red/a.png')));
    expect(new Set(opened)).toEqual(new Set([inFolder('saved/hats/red')]));
  });

  it('are as many as 16, and with more none is created', async () => {
    expect(await codeOf(() => folderOf(depth(17)))).toBe('folder-missing');
    expect((await inSaved()).sort()).toEqual(['shoes']);
    expect(await folderOf(depth(16))).toBe(inFolder('saved', ...Array<string>(16).fill('d')));
    await mkdir(inFolder('saved', ...Array<string>(17).fill('d')));
    expect(await folderOf(depth(17))).toBe(inFolder('saved', ...Array<string>(17).fill('d')));
  });

  it('are not created where a file has the name, or where the save path is missing', async () => {
    await writeFile(inFolder('saved/file'), '');
    expect(await refused('file/a.png')).toBe('folder-missing');
    rmSync(inFolder('saved'), { recursive: true });
    expect(await refused('hats/a.png')).toBe('save-path-missing');
  });

  it('are not created in a folder by another spelling than its own', async () => {
    // As where case is ignored.
    const isOther = (path: unknown): boolean => /shoes$/i.test(String(path));
    const shoes = inFolder('saved/shoes');
    interceptFsCall('lstat', (real, path) => (isOther(path) ? stat(shoes) : real()));
    interceptFsCall('realpath', (real, path) => (isOther(path) ? Promise.resolve(shoes) : real()));
    expect(await refused('SHOES/red/a.png')).toBe('name-invalid');
    expect(await inSaved()).toEqual(['shoes']);
  });

  testWithLinks(
    'are created through a link inside the save path, and never outside or through a broken link',
    async () => {
      await symlink('shoes', inFolder('saved/boots'));
      await symlink(inFolder('outside'), inFolder('saved/out'));
      await symlink(inFolder('nowhere'), inFolder('saved/broken'));
      await symlink(inFolder('saved/shoes'), inFolder('outside/back'));
      expect(await folderOf('boots/red/a.png')).toBe(inFolder('saved/shoes/red'));
      expect(await folderOf('out/back/blue/a.png')).toBe(inFolder('saved/shoes/blue'));
      expect(await refused('out/red/a.png')).toBe('outside-save-path');
      expect(await refused('out/red/dark/a.png')).toBe('outside-save-path');
      expect(await refused('broken/a.png')).toBe('folder-missing');
      expect(await refused('broken/red/a.png')).toBe('folder-missing');
      expect(await readdir(inFolder('outside'))).toEqual(['back']);
      expect(await readdir(inFolder())).not.toContain('nowhere');
    },
  );
});

testWithLinks.each([
  ['before a folder in it is created', 'mkdir', 0],
  ['after a folder in it was created', 'mkdir', 1],
] as const)('a parent that is swapped for a link %s gets no folder outside', async (_when, call, after) => {
  let swapped = false;
  const swap = (): void => {
    if (swapped) return;
    swapped = true;
    renameSync(inFolder('saved/shoes'), inFolder('saved/kept'));
    symlinkSync(inFolder('outside'), inFolder('saved/shoes'));
  };
  interceptFsCall(call, async (real) => {
    if (after === 0) swap();
    const result = await real();
    if (after === 1) swap();
    return result;
  });
  await codeOf(() => folderOf('shoes/red/small/a.png')).catch(() => undefined);
  expect(await readdir(inFolder('outside'))).toEqual([]);
});

testOnLinux('a folder that was moved before a folder in it is created gets none', async () => {
  interceptFsCall('open', (real, path) => {
    if (/^\/proc\/.*\/red$/.test(String(path)))
      renameSync(inFolder('saved/shoes'), inFolder('outside/shoes'));
    return real();
  });
  expect(await refused('shoes/red/a.png')).toBe('folder-changed');
  expect(await readdir(inFolder('outside/shoes'))).toEqual([]);
});

testOnLinux('a new folder is in the flushed entries of its parent, if durable', async () => {
  const flushed = interceptFsCall('fsync', (real) => real());
  await folderOf('hats/red/a.png', { ...CREATE, durable: false });
  expect(flushed).not.toHaveBeenCalled();
  await folderOf('hats/blue/dark/a.png');
  expect(flushed).toHaveBeenCalledTimes(2);
});

testOnLinux('a new folder has the mode 0777 minus the umask', async () => {
  await runInChild(`import { openTarget } from ${built('lib/stores/folder/resolve-path.ts')};
    process.umask(0o027);
    const options = { overwrite: true, createFolders: true };
    const { directory } = await openTarget(${JSON.stringify(inFolder('saved'))}, ['hats', 'a.png'], options);
    directory.close();
    console.log('0');`);
  expect((await stat(inFolder('saved/hats'))).mode & 0o777).toBe(0o750);
});

test('a refusal says how many folders are created', async () => {
  const { message } = await refusalOf(() => folderOf(depth(17)));
  expect(message).toMatch(/^Name a folder that exists, or at most 16 in a row that can be created: .*"d\/d/);
});
