// Resolving a name: which entries may be saved to, and that an open folder stays the checked one.
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import { chmod, mkdir, readdir, readFile, realpath, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { promisify } from 'node:util';
import type { SaveError } from '../../../../lib/errors.js';
import { checkName } from '../../../../lib/protocol/file-name.js';
import { DirectoryHandle } from '../../../../lib/stores/folder/directory.js';
import { openTarget } from '../../../../lib/stores/folder/resolve-path.js';
import { built, canMount, runInChild, type ChildOptions } from '../../../support/run-in-child.js';
import { interceptFsCall } from '../../../support/intercept-fs.js';
import {
  descriptorsBelow,
  onLinux,
  testOnLinux,
  testWithLinks,
  useTempDir,
} from '../../../support/temp-dir.js';
import { codeOf } from '../../../support/refusal.js';
import { usePlatform } from '../../../support/windows.js';

const inFolder = useTempDir();
const REPLACE = { overwrite: true, durable: false };
const KEEP = { overwrite: false, durable: false };

/** Resolves a name below `saved` to its folder's path and its entry, and closes the folder again. */
async function targetOf(name: string, options = REPLACE, savePath = inFolder('saved')): Promise<string> {
  const { directory, basename } = await openTarget(savePath, checkName(name), options);
  directory.close();
  return join(directory.path, basename);
}

/** The target below the test's folder, or the code of the refusal. */
const outcomeOf = (name: string, options = REPLACE, savePath?: string): Promise<string> =>
  targetOf(name, options, savePath).then(
    (path) => relative(inFolder(), path).replaceAll(sep, '/'),
    (error: unknown) => (error as SaveError).code,
  );

beforeEach(async () => {
  await mkdir(inFolder('saved/shoes/red'), { recursive: true });
  await mkdir(inFolder('outside'));
});

it.each<[string, string, string, typeof KEEP?]>([
  ['may be an existing file', 'old.png', 'saved/old.png'],
  ['must not be an existing file if overwrite is false', 'old.png', 'file-exists', KEEP],
  ['may be new if overwrite is false', 'b.png', 'saved/b.png', KEEP],
  ['needs an existing folder', 'hats/a.png', 'folder-missing'],
  ['needs all its folders', 'shoes/blue/dark/a.png', 'folder-missing'],
  ['needs a folder instead of a file', 'old.png/a.png', 'folder-missing'],
  ['needs a folder above its folder', 'old.png/red/a.png', 'folder-missing'],
  ['must not be a folder', 'shoes', 'not-a-file'],
  ['must not be a folder if overwrite is false', 'shoes', 'not-a-file', KEEP],
  ['must not be a deeper folder', 'shoes/red', 'not-a-file'],
])('a target %s: %s', async (_rule, name, outcome, options = REPLACE) => {
  await writeFile(inFolder('saved/old.png'), 'old');
  expect(await outcomeOf(name, options)).toBe(outcome);
  expect(await readdir(inFolder('saved'))).toEqual(['old.png', 'shoes']);
  if (process.platform === 'linux') expect(await descriptorsBelow(inFolder())).toEqual([]);
});

testOnLinux('must not have a path that is too long for the system', async () => {
  const parts = Array<string>(40).fill('x'.repeat(250));
  expect(await outcomeOf(`${parts.join('/')}/a.png`)).toBe('name-invalid');
});

testOnLinux('is refused without being opened if it is no regular file', async () => {
  await promisify(execFile)('mkfifo', [inFolder('saved/pipe'), inFolder('saved/pipe.png')]);
  expect(await outcomeOf('pipe')).toBe('not-a-file');
  expect(await outcomeOf('pipe.png')).toBe('not-a-file');
  expect(await outcomeOf('pipe/a.png')).toBe('folder-missing');
});

const OUTSIDE = 'outside-save-path';

// Links and their targets, those with a slash at the front below the temporary folder; names and their outcomes.
testWithLinks.each<[string, Record<string, string>, Record<string, string>]>([
  [
    'are followed to a folder inside the save path',
    { 'saved/hot': '/saved/shoes/red', 'saved/boots': 'shoes', 'saved/shoes/up': '..' },
    {
      'hot/a.png': 'saved/shoes/red/a.png',
      'boots/red/a.png': 'saved/shoes/red/a.png',
      'shoes/up/a.png': 'saved/a.png',
    },
  ],
  [
    'are followed out of the save path and back into it',
    { 'outside/back': '/saved/shoes', 'saved/out': '/outside', 'saved/up': '..' },
    { 'out/back/a.png': 'saved/shoes/a.png', 'up/saved/a.png': 'saved/a.png' },
  ],
  [
    'are refused if they lead to a folder outside, also above or with a path that begins like the save path',
    {
      'saved/out': '/outside',
      'saved/shoes/out': '../../outside',
      'saved/up': '..',
      'saved/like': '/saved-not',
    },
    {
      'out/a.png': OUTSIDE,
      'out/deep/a.png': OUTSIDE,
      'shoes/out/a.png': OUTSIDE,
      'up/a.png': OUTSIDE,
      'like/a.png': OUTSIDE,
    },
  ],
  [
    'count as missing folders if they dangle, form a loop or lead to a file',
    { 'saved/dangling': '/nowhere', 'saved/circle': 'circle', 'saved/tofile': 'file' },
    {
      'dangling/a.png': 'folder-missing',
      'circle/a.png': 'folder-missing',
      'tofile/a.png': 'folder-missing',
    },
  ],
  [
    'are replaced at the final name',
    { 'saved/a': '/saved/file', 'saved/b': '/outside', 'saved/c': '/nowhere', 'saved/d': 'd' },
    { a: 'saved/a', b: 'saved/b', c: 'saved/c', d: 'saved/d' },
  ],
])('links %s', async (_what, links, outcomes) => {
  await mkdir(inFolder('outside/deep'));
  await mkdir(inFolder('saved-not'));
  await writeFile(inFolder('saved/file'), '');
  for (const [link, to] of Object.entries(links))
    await symlink(to.startsWith('/') ? inFolder(to) : to, inFolder(link));
  for (const [name, outcome] of Object.entries(outcomes)) {
    expect([name, await outcomeOf(name)]).toEqual([name, outcome]);
  }
  if (process.platform === 'linux') expect(await descriptorsBelow(inFolder())).toEqual([]);
});

testWithLinks('a link at the final name is refused if overwrite is false', async () => {
  await symlink(inFolder('nowhere'), inFolder('saved/dangling.png'));
  expect(await outcomeOf('dangling.png', KEEP)).toBe('file-exists');
});

describe('the save path', () => {
  testWithLinks('may be relative, end with a slash, contain links and be one', async () => {
    await symlink(inFolder('saved'), inFolder('link'));
    await symlink(inFolder('link/shoes'), inFolder('saved/again'));
    const link = inFolder('link');
    for (const savePath of [link, relative(process.cwd(), link), `${link}/`]) {
      expect(await outcomeOf('again/a.png', REPLACE, savePath)).toBe('saved/shoes/a.png');
    }
  });

  testWithLinks('may become a link between two saves', async () => {
    await mkdir(inFolder('other/shoes'), { recursive: true });
    expect(await outcomeOf('shoes/a.png')).toBe('saved/shoes/a.png');
    await rename(inFolder('saved'), inFolder('before'));
    await symlink(inFolder('other'), inFolder('saved'));
    expect(await outcomeOf('shoes/a.png')).toBe('other/shoes/a.png');
    await symlink(inFolder('before'), inFolder('other/out'));
    expect(await outcomeOf('out/a.png')).toBe(OUTSIDE);
  });

  testOnLinux('is resolved without a call of its own if it leads through no link', async () => {
    const calls = interceptFsCall('open', (real) => real());
    await targetOf('shoes/a.png');
    expect(calls).toHaveBeenCalledTimes(1);
    await symlink(inFolder('saved'), inFolder('link'));
    await targetOf('shoes/a.png', REPLACE, inFolder('link'));
    expect(calls).toHaveBeenCalledTimes(4);
  });

  testOnLinux('may be the root of the file system', async () => {
    expect(await outcomeOf(`${inFolder('saved').slice(1)}/a.png`, REPLACE, '/')).toBe('saved/a.png');
  });

  testWithLinks.each(['a.png', 'shoes/a.png'])(
    'counts as missing until it is created, and if it dangles, forms a loop, is a file or leads through one: %s',
    async (name) => {
      await symlink(inFolder('nowhere'), inFolder('dangling'));
      await symlink('circle', inFolder('circle'));
      await writeFile(inFolder('file'), '');
      for (const path of ['mounted', 'dangling', 'circle', 'file', 'file/below']) {
        expect([path, await outcomeOf(name, REPLACE, inFolder(path))]).toEqual([path, 'save-path-missing']);
      }
      await mkdir(inFolder('mounted/shoes'), { recursive: true });
      expect(await outcomeOf(name, REPLACE, inFolder('mounted'))).toBe(`mounted/${name}`);
    },
  );

  it.each(['s'.repeat(300), 'sa\0ved'])(
    'counts as missing if no folder can have the path: %j',
    async (path) => {
      expect(await outcomeOf('a.png', REPLACE, inFolder(path))).toBe('save-path-missing');
      expect(await outcomeOf('shoes/a.png', REPLACE, inFolder(path))).toBe('save-path-missing');
    },
  );
});

/** The outcomes of resolving names in a process of its own: for each a code, or `nothing`. */
const codesInChild = (
  names: [savePath: string, name: string, createFolders?: boolean][],
  options: ChildOptions,
): Promise<unknown> =>
  runInChild(
    `import { openTarget } from ${built('lib/stores/folder/resolve-path.ts')};
    const codes = [];
    for (const [savePath, name, createFolders] of ${JSON.stringify(names)}) {
      await openTarget(savePath, name.split('/'), { overwrite: true, createFolders }).then(
        ({ directory }) => { codes.push('nothing'); directory.close(); },
        (error) => codes.push(error.code),
      );
    }
    console.log(JSON.stringify(codes));`,
    options,
  );

/** A folder at and below a save path. */
const inShoes = (): [string, string][] => [
  [inFolder('saved'), 'shoes/a.png'],
  [inFolder('saved/shoes'), 'a.png'],
];

onLinux('permissions', () => {
  beforeEach(() => chmod(inFolder(), 0o755));

  it.each([
    ['that may not be written to', 0o555, 'not-writable'],
    ['that may not be entered', 0o666, 'not-writable'],
    ['that may not be used at all', 0o000, 'not-writable'],
    ['that may be used', 0o777, 'nothing'],
  ])('are checked before rendering, for a folder %s', async (_what, mode, code) => {
    await chmod(inFolder('saved/shoes'), mode);
    try {
      expect(await codesInChild(inShoes(), { unprivileged: true })).toEqual([code, code]);
    } finally {
      await chmod(inFolder('saved/shoes'), 0o755);
    }
  });

  it('are checked where a folder would be created', async () => {
    const codes = await codesInChild([[inFolder('saved'), 'hats/a.png', true]], { unprivileged: true });
    expect(codes).toEqual(['not-writable']);
  });

  it('of the old file are ignored, because it is replaced', async () => {
    await writeFile(inFolder('saved/a.png'), 'old');
    await chmod(inFolder('saved/a.png'), 0o000);
    await chmod(inFolder('saved'), 0o777);
    const codes = await codesInChild([[inFolder('saved'), 'a.png']], { unprivileged: true });
    expect(codes).toEqual(['nothing']);
  });
});

(canMount ? describe : describe.skip)('a mount', () => {
  it.each([
    ['ro', 'not-writable'],
    ['rw', 'nothing'],
  ])('with the option %s is checked before rendering, at or below the save path', async (option, code) => {
    const options = { mount: { at: inFolder('saved/shoes'), options: option } };
    expect(await codesInChild(inShoes(), options)).toEqual([code, code]);
  });
});

const replaceByLink = async (): Promise<void> => {
  await rename(inFolder('saved/shoes'), inFolder('saved/boots'));
  await symlink(inFolder('outside'), inFolder('saved/shoes'));
};

const makeAgain = (): Promise<void> => mkdir(inFolder('saved/shoes'));

/** What only a descriptor shows. */
const replaced: [string, () => Promise<void>][] = [
  ['another folder replaces it', () => rename(inFolder('saved/shoes'), inFolder('old')).then(makeAgain)],
  ['it is made again', () => rm(inFolder('saved/shoes'), { recursive: true }).then(makeAgain)],
];

describe.each<[string, NodeJS.Platform]>([
  ['this system', process.platform],
  // Windows cannot open a directory; everything else is the same on all systems.
  ['a system without descriptors of folders', 'win32'],
])('an open directory on %s', (_name, platform) => {
  let directory: DirectoryHandle;

  usePlatform(platform);
  beforeEach(async () => {
    directory = await DirectoryHandle.open(inFolder('saved/shoes'));
  });
  afterEach(() => {
    directory.close();
  });

  testWithLinks('has its real path', async () => {
    await symlink(inFolder('saved/shoes'), inFolder('link'));
    const byLink = await DirectoryHandle.open(inFolder('link'));
    expect(byLink.path).toBe(inFolder('saved/shoes'));
    byLink.close();
  });

  it('stays unmoved when its entries change', async () => {
    await directory.assertUnmoved();
    await writeFile(inFolder('saved/shoes/a.png'), '');
    await rm(inFolder('saved/shoes/red'), { recursive: true });
    await directory.assertUnmoved();
  });

  it('gives paths to its entries and itself', async () => {
    await writeFile(directory.join('a.png'), 'new');
    expect(await readFile(inFolder('saved/shoes/a.png'), 'utf8')).toBe('new');
    expect((await readdir(directory.join('.'))).sort()).toEqual(['a.png', 'red']);
  });

  it.each<[string, () => Promise<void>]>([
    ['it is renamed', () => rename(inFolder('saved/shoes'), inFolder('saved/boots'))],
    ['a parent is renamed', () => rename(inFolder('saved'), inFolder('kept'))],
    ['it is removed', () => rm(inFolder('saved/shoes'), { recursive: true })],
    ['a link replaces it', replaceByLink],
    ...(platform === 'linux' ? replaced : []),
  ])('is no longer unmoved once %s', async (_how, change) => {
    await change();
    expect(await codeOf(() => directory.assertUnmoved())).toBe('folder-changed');
  });

  it('can be closed twice, and flushed before and after', async () => {
    await directory.sync();
    directory.close();
    directory.close();
    await directory.sync();
  });
});

testOnLinux('an open directory stays unmoved where Linux shows another spelling of its path', async () => {
  const directory = await DirectoryHandle.open(inFolder('saved/shoes'));
  const shown = jest.spyOn(fs, 'readlinkSync').mockReturnValue(inFolder('saved/SHOES'));
  await directory.assertUnmoved();
  await replaceByLink();
  expect(await codeOf(() => directory.assertUnmoved())).toBe('folder-changed');
  shown.mockRestore();
  directory.close();
});

testOnLinux('an open directory may have a name that ends in " (deleted)"', async () => {
  await mkdir(inFolder('saved/x (deleted)'));
  const odd = await DirectoryHandle.open(inFolder('saved/x (deleted)'));
  await odd.assertUnmoved();
  expect(odd.path).toBe(await realpath(inFolder('saved/x (deleted)')));
  odd.close();
});
