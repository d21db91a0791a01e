// The spelling of a name: authorize judges the name in the command, so it must be the one in the file system.
import { existsSync, lstatSync, readdirSync, type Stats } from 'node:fs';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { checkSpelling } from '../../../../lib/stores/folder/spelling.js';
import { fsCalls } from '../../../../lib/temp-files/fs.js';
import { codeOf, refusalOf } from '../../../support/refusal.js';
import { testOnLinux, useTempDir, withLinks } from '../../../support/temp-dir.js';
import { usePlatform } from '../../../support/windows.js';

const inFolder = useTempDir();

const verdict = (name: string): Promise<string> => codeOf(() => checkSpelling(inFolder(), name.split('/')));

beforeEach(async () => {
  await mkdir(inFolder('private folder/größe'), { recursive: true });
  await writeFile(inFolder('private folder/logo.png'), '');
  await writeFile(inFolder('private folder/2024~1'), '');
  for (const name of ['ĸⅷ', '42']) await writeFile(inFolder(name), '');
});
afterEach(() => {
  jest.restoreAllMocks();
});

testOnLinux('is exact on a file system that tells all spellings apart', async () => {
  await mkdir(inFolder('PRIVATE FOLDER'));
  // In another form of accents, these are longer than any entry.
  const long = ['각'.repeat(84), `${'é'.repeat(125)}.png`, `${'각'.repeat(30)}/a.png`];
  const exact = ['private folder/logo.png', 'PRIVATE FOLDER/logo.png', 'none/a.png', '靴', '2024', ''];
  for (const name of [...exact, ...long]) {
    await checkSpelling(inFolder(), name.split('/'));
  }
});

it('counts where this file system ignores case, and only there', async () => {
  const refused = await verdict('PRIVATE FOLDER/new.png').catch(() => 'nothing');
  expect(refused).toBe(existsSync(inFolder('PRIVATE FOLDER')) ? 'name-invalid' : 'nothing');
});

/** The entries of the folders, for a file system that finds them by other spellings. */
const SHORT: Record<string, string> = { 'priv~1': 'private folder', '1234~1': '2024~1' };
const own = (name: string): string => {
  const key = name.normalize('NFC').toLowerCase().replace('\u200d', '');
  return SHORT[key] ?? key;
};
const ownPath = (path: string): string => {
  const below = path.slice(inFolder().length).split(/[\\/]/).map(own);
  return join(inFolder(), ...below);
};

describe.each<[NodeJS.Platform, string]>([
  ['linux', 'works'],
  ['win32', 'works'],
  ['win32', 'UNKNOWN'],
  ['darwin', 'works'],
])(
  'on a file system of %s that ignores case, the form of accents, and knows short names (realpath: %s)',
  (platform, code) => {
    usePlatform(platform);
    beforeEach(() => {
      // As exFAT by FUSE, it numbers a file anew for each spelling.
      let ino = 0;
      const lstat = (path: string): Promise<Stats> =>
        Promise.resolve().then(() => Object.assign(lstatSync(ownPath(path)), { ino: (ino += 1) }));
      jest.spyOn(fsCalls, 'lstat').mockImplementation(lstat as never);
      const realpath = (path: string): Promise<string> =>
        code === 'works'
          ? Promise.resolve(ownPath(path))
          : Promise.reject(Object.assign(new Error(), { code }));
      jest.spyOn(fsCalls, 'realpath').mockImplementation(realpath as never);
      const readdir = (path: string): Promise<string[]> => Promise.resolve(readdirSync(ownPath(path)));
      jest.spyOn(fsCalls, 'readdir').mockImplementation(readdir as never);
    });

    it.each([
      'PRIVATE FOLDER/new.png',
      'Private folder/new.png',
      'private foldeR/logo.png',
      'PRIV~1/new.png',
      'private folder/LOGO.png',
      'private folder/logo.PNG',
      'private folder/GRÖßE/new.png',
      `private folder/${'größe'.normalize('NFD')}/new.png`,
      'private folder/1234~1',
      'ĸⅧ',
      '4\u200d2',
    ])('%s is refused', async (name) => {
      expect(await verdict(name)).toBe('name-invalid');
    });

    it.each([
      'private folder/new.png',
      'private folder/logo.png',
      'private folder/größe/new.png',
      'New/NEW.png',
    ])('%s is accepted', async (name) => {
      await checkSpelling(inFolder(), name.split('/'));
    });

    it('is asked for in the message, which shows the part of the name and no path of the server', async () => {
      const { message } = await refusalOf(() => checkSpelling(inFolder(), ['PRIVATE FOLDER', 'a.png']));
      expect(message).toContain('write "PRIVATE FOLDER" as the server spells it');
      expect(message).not.toContain(basename(dirname(inFolder('x'))));
    });
  },
);

withLinks.each<NodeJS.Platform>(['linux', 'darwin'])('on %s', (platform) => {
  usePlatform(platform);

  it('a link has its own spelling', async () => {
    for (const name of ['Hot', 'hot']) await symlink(inFolder('private folder'), inFolder(name));
    for (const name of ['Hot', 'hot']) await checkSpelling(inFolder(), [name, 'logo.png']);
  });
});
