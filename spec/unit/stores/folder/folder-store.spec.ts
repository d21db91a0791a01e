// The folder store: the name always leads to the whole new file or the whole old one, and no other file stays.
import fs, { renameSync, symlinkSync, type BigIntStats } from 'node:fs';
import {
  appendFile,
  link,
  lstat,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { dirname, join, sep } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { folderStore, folderTarget, type FolderTarget } from '../../../../lib/stores/folder/folder-store.js';
import { storeTests } from '../../../../lib/stores/store-tests.js';
import type { StoreFixture } from '../../../../lib/stores/store-test-harness.js';
import type { SaveTarget, PublishResult } from '../../../../lib/stores/types.js';
import { StaleFileSweeper } from '../../../../lib/temp-files/stale-files.js';
import { MemoryBytes } from '../../../../lib/bytes/image-bytes.js';
import { DirectoryHandle } from '../../../../lib/stores/folder/directory.js';
import { openTarget } from '../../../../lib/stores/folder/resolve-path.js';
import { built, runInChild } from '../../../support/run-in-child.js';
import { createDeferred } from '../../../support/deferred.js';
import { interceptFsCall } from '../../../support/intercept-fs.js';
import {
  canLink,
  descriptorsBelow,
  onLinux,
  testOnLinux,
  testWithLinks,
  useTempDir,
} from '../../../support/temp-dir.js';
import { codeOf, refusalOf } from '../../../support/refusal.js';

const inFolder = useTempDir();

const MODES = { overwrite: true, durable: true };
const LIFETIME = 60_000;
const allow = { commit: (): void => undefined };
const inMemory = (text: string): MemoryBytes => new MemoryBytes(Buffer.from(text));
const bytes = (text: string): Buffer[] => [Buffer.from(text)];
const inSaved = (): Promise<string[]> => readdir(inFolder('saved'));
const content = (): Promise<string> => readFile(inFolder('saved/a.png'), 'utf8');

/** The open targets of a test. Each must be closed once. */
const openTargets = new Set<SaveTarget>();

async function createTarget(
  changes: Partial<typeof MODES> = {},
  sweeper = new StaleFileSweeper(LIFETIME),
): Promise<FolderTarget> {
  const options = { ...MODES, ...changes };
  const created = folderTarget(await openTarget(inFolder('saved'), ['a.png'], options), options, sweeper);
  openTargets.add(created);
  return created;
}

async function close(one: SaveTarget): Promise<void> {
  if (openTargets.delete(one)) await one.close?.();
}

/** Publishes the temporary file of a target. */
const publish = (one: FolderTarget, commit = allow.commit): Promise<PublishResult> =>
  one.publish({ bytes: one.tempFile }, { commit });

let target: FolderTarget;

beforeEach(async () => {
  await mkdir(inFolder('saved'));
  await mkdir(inFolder('outside'));
  target = await createTarget();
});
afterEach(async () => {
  jest.restoreAllMocks();
  for (const one of openTargets) await close(one);
});

/** A target whose temporary file holds an image. */
async function targetWithImage(overwrite: boolean): Promise<FolderTarget> {
  const one = await createTarget({ overwrite });
  await one.tempFile.write(bytes('new'));
  return one;
}

const danglingLink: [string, string, boolean, () => Promise<unknown>] = [
  'a dangling link that came after prepare',
  'file-exists',
  false,
  () => symlink(inFolder('nowhere'), inFolder('saved/a.png')),
];

describe('publishing', () => {
  it('returns the modification time of the file in whole milliseconds', async () => {
    await target.tempFile.write(bytes('new'));
    const { lastUpdated, warning } = await publish(target);
    expect(Number.isInteger(lastUpdated)).toBe(true);
    expect(lastUpdated).toBe(Math.floor((await stat(inFolder('saved/a.png'))).mtimeMs));
    expect(warning).toBeUndefined();
  });

  testOnLinux('replaces the old file, and hard links and open readers of it keep the old bytes', async () => {
    await writeFile(inFolder('saved/a.png'), 'old');
    await link(inFolder('saved/a.png'), inFolder('backup'));
    const reader = await open(inFolder('saved/a.png'));
    await target.tempFile.write(bytes('new'));
    await publish(target);
    expect([await inSaved(), await content()]).toEqual([['a.png'], 'new']);
    expect(await readFile(inFolder('backup'), 'utf8')).toBe('old');
    expect(await reader.readFile('utf8')).toBe('old');
    await reader.close();
  });

  testWithLinks('replaces a link and leaves its target', async () => {
    await writeFile(inFolder('outside/secret'), 'secret');
    await symlink(inFolder('outside/secret'), inFolder('saved/a.png'));
    await target.tempFile.write(bytes('new'));
    await publish(target);
    expect((await lstat(inFolder('saved/a.png'))).isFile()).toBe(true);
    expect(await readFile(inFolder('outside/secret'), 'utf8')).toBe('secret');
  });

  it.each([
    ['rename', true, 'EIO', 'keeps'],
    ['rename', true, 'EIO', 'loses'],
    ['rename', true, 'ENOENT', 'keeps'],
    ['link', false, 'ETIMEDOUT', 'keeps'],
    ['link', false, 'EEXIST', 'keeps'],
    ['link', false, 'EPERM', 'keeps'],
  ] as const)(
    'is done if %s has succeeded and its answer is lost (overwrite: %s, %s), where a file %s its inode',
    async (name, overwrite, code, how) => {
      const one = await targetWithImage(overwrite);
      if (how === 'loses')
        interceptFsCall('lstat', async (real) => Object.assign((await real()) as BigIntStats, { ino: 0n }));
      interceptFsCall(name, async (real) => {
        await real();
        throw Object.assign(new Error(code), { code });
      });
      expect((await publish(one)).warning).toBeUndefined();
      await close(one);
      expect([await inSaved(), await content()]).toEqual([['a.png'], 'new']);
    },
  );

  const failing = (code: string): Promise<never> => Promise.reject(Object.assign(new Error(code), { code }));
  const failsWith = (call: 'link' | 'rename', code: string) => (): unknown =>
    interceptFsCall(call, () => failing(code));
  const putOld = (): Promise<void> => writeFile(inFolder('saved/a.png'), 'old');

  it.each<readonly [string, string, boolean, (one: FolderTarget) => unknown]>([
    ['a file that came after prepare', 'file-exists', false, putOld],
    ...(canLink ? [danglingLink] : []),
    ['a folder that came after prepare', 'file-exists', false, () => mkdir(inFolder('saved/a.png'))],
    ['to replace a folder', 'not-a-file', true, () => mkdir(inFolder('saved/a.png'))],
    [
      'to believe that an old file of the same length is the new one',
      'write-failed',
      true,
      async () => {
        await putOld();
        failsWith('rename', 'EIO')();
      },
    ],
    ...['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EISDIR'].map(
      (code) => [`link that fails with ${code}`, 'no-hard-links', false, failsWith('link', code)] as const,
    ),
    ['a file system that cannot rename', 'not-writable', true, failsWith('rename', 'ENOSYS')],
    ['a temporary file that was removed', 'folder-missing', true, (one) => rm(one.tempFile.path)],
    ['a temporary file that was cut', 'write-failed', true, (one) => truncate(one.tempFile.path, 2)],
    ['a temporary file that grew', 'write-failed', true, (one) => appendFile(one.tempFile.path, 'x')],
  ])('refuses %s with %s, and leaves all as it is', async (_what, code, overwrite, disturb) => {
    const one = await targetWithImage(overwrite);
    await disturb(one);
    const look = (): Promise<number | undefined> =>
      lstat(inFolder('saved/a.png')).then(
        ({ ino }) => ino,
        () => undefined,
      );
    const before = await look();
    const refusal = await refusalOf(() => publish(one));
    expect(refusal.code).toBe(code);
    expect(refusal.message).not.toContain(inFolder());
    await close(one);
    expect(await inSaved()).toEqual(before === undefined ? [] : ['a.png']);
    expect(await look()).toBe(before);
  });
});

onLinux('the steps of publishing', () => {
  const happened: string[] = [];

  /** Records the file system calls from the first byte on, and passes them on. */
  function listen(): void {
    happened.length = 0;
    let file: unknown;
    interceptFsCall('open', async (real) => {
      file = await real();
      happened.push('make file');
      return file;
    });
    const note =
      (what: string) =>
      async (real: () => Promise<unknown>, descriptor: unknown): Promise<unknown> => {
        const result = await real();
        happened.push(`${what} ${descriptor === file ? 'file' : 'folder'}`);
        return result;
      };
    interceptFsCall('writev', note('write'));
    interceptFsCall('fsync', note('flush'));
    interceptFsCall('close', note('close'));
    const { closeSync } = fs;
    jest.spyOn(fs, 'closeSync').mockImplementation((descriptor) => {
      closeSync(descriptor);
      happened.push('close folder');
    });
    for (const name of ['rename', 'link', 'unlink'] as const) {
      interceptFsCall(name, (real) => {
        happened.push(name);
        return real();
      });
    }
  }
  const commit = (): void => {
    happened.push('commit');
  };

  describe.each(['a file', 'memory'])('from %s', (from) => {
    test.each([
      [true, true, 'write file, flush file, close file, commit, rename, flush folder, close folder'],
      [true, false, 'write file, close file, commit, rename, close folder'],
      [false, true, 'write file, flush file, close file, commit, link, flush folder, unlink, close folder'],
      [false, false, 'write file, close file, commit, link, unlink, close folder'],
    ])('run in the safe order: overwrite %s, durable %s', async (overwrite, durable, expected) => {
      const one = await createTarget({ overwrite, durable });
      listen();
      if (from === 'a file') {
        await one.tempFile.write(bytes('new'));
        await publish(one, commit);
      } else {
        await one.publish({ bytes: inMemory('new') }, { commit });
      }
      await close(one);
      expect(happened.join(', ')).toBe(`make file, ${expected}`);
      expect([await inSaved(), await content()]).toEqual([['a.png'], 'new']);
    });
  });

  it.each([
    ['EIO', true],
    ...['EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].map((code) => [code, false] as const),
  ] as const)('end well where the folder cannot be flushed: %s, with a warning: %s', async (code, warns) => {
    const fault = Object.assign(new Error(code), { code });
    await target.tempFile.write(bytes('new'));
    const flushed = interceptFsCall('fsync', (real) =>
      happened.includes('commit') ? Promise.reject(fault) : real(),
    );
    happened.length = 0;
    const { warning } = await publish(target, commit);
    expect(flushed).toHaveBeenCalledTimes(2);
    expect([warning, await content()]).toEqual([warns ? fault : undefined, 'new']);
  });
});

testOnLinux('closing waits for the sweep before it closes the folder', async () => {
  await close(target);
  const swept = createDeferred();
  const sweeper = new StaleFileSweeper(LIFETIME);
  jest.spyOn(sweeper, 'sweep').mockReturnValue(swept.promise);
  const one = await createTarget({}, sweeper);
  const closing = close(one);
  await setImmediate();
  expect(await descriptorsBelow(inFolder())).toEqual([inFolder('saved')]);
  swept.resolve();
  await closing;
  expect(await descriptorsBelow(inFolder())).toEqual([]);
});

onLinux('the mode of a saved file', () => {
  it.each([0o000, 0o027])('is 0666 minus the umask %o, whatever the old file had', async (umask) => {
    const modes = await runInChild(
      `import { stat, writeFile } from 'node:fs/promises';
      import { openTarget } from ${built('lib/stores/folder/resolve-path.ts')};
      import { folderTarget } from ${built('lib/stores/folder/folder-store.ts')};
      import { MemoryBytes } from ${built('lib/bytes/image-bytes.ts')};
      import { StaleFileSweeper } from ${built('lib/temp-files/stale-files.ts')};
      process.umask(${umask});
      const modes = [];
      for (const [name, overwrite] of [['a.png', true], ['b.png', false]]) {
        if (overwrite) await writeFile(${JSON.stringify(inFolder('saved/a.png'))}, 'old', { mode: 0o400 });
        const resolved = await openTarget(${JSON.stringify(inFolder('saved'))}, [name], { overwrite });
        const target = folderTarget(resolved, { overwrite, durable: false }, new StaleFileSweeper(60_000));
        await target.publish({ bytes: new MemoryBytes(Buffer.from('x')) }, { commit() {} });
        modes.push((await stat(resolved.directory.join(name))).mode & 0o777);
        await target.close();
      }
      console.log(JSON.stringify(modes));`,
    );
    expect(modes).toEqual([0o666 & ~umask, 0o666 & ~umask]);
  });
});

onLinux('a folder that changes', () => {
  const moved = (): Promise<void> => rename(inFolder('saved'), inFolder('moved'));
  const swapped = async (): Promise<void> => {
    await moved();
    await symlink(inFolder('outside'), inFolder('saved'));
  };

  describe.each([
    ['moved', moved],
    ['removed', () => rm(inFolder('saved'), { recursive: true })],
    ['swapped for a link', swapped],
  ])('that is %s', (_what, change) => {
    it.each([
      ['a file', () => target.tempFile.write(bytes('x'))],
      ['memory', () => target.publish({ bytes: inMemory('x') }, allow)],
    ])('before the first byte gets no temporary file (image from %s)', async (_from, save) => {
      await change();
      expect(await codeOf(save)).toBe('folder-changed');
      await close(target);
      expect(await readdir(inFolder('outside'))).toEqual([]);
      expect(await readdir(inFolder('moved')).catch(() => [])).toEqual([]);
    });
  });

  test.each([
    ['moved', moved],
    ['swapped for a link', swapped],
  ])('that is %s before publish keeps its old file', async (_what, change) => {
    await writeFile(inFolder('saved/a.png'), 'old');
    await target.tempFile.write(bytes('new'));
    await change();
    expect(await codeOf(() => publish(target))).toBe('folder-changed');
    await close(target);
    expect(await readdir(inFolder('outside'))).toEqual([]);
    expect(await readdir(inFolder('moved'))).toEqual(['a.png']);
    expect(await readFile(inFolder('moved/a.png'), 'utf8')).toBe('old');
  });

  it.each([true, false])(
    'that becomes a link after commit still receives the image (overwrite: %s)',
    async (overwrite) => {
      const one = await targetWithImage(overwrite);
      await writeFile(inFolder('outside/a.png'), 'theirs');
      await publish(one, () => {
        renameSync(inFolder('saved'), inFolder('moved'));
        symlinkSync(inFolder('outside'), inFolder('saved'));
      });
      await close(one);
      expect(await readdir(inFolder('outside'))).toEqual(['a.png']);
      expect(await readFile(inFolder('outside/a.png'), 'utf8')).toBe('theirs');
      expect(await readdir(inFolder('moved'))).toEqual(['a.png']);
    },
  );
});

describe('preparing a save', () => {
  let abort: AbortController;
  let req: IncomingMessage;

  beforeEach(async () => {
    await close(target);
    abort = new AbortController();
    req = new IncomingMessage(new Socket());
  });

  const prepare = async (
    chooseFolder: (req?: unknown) => string | Promise<string>,
    name = 'a.png',
  ): Promise<SaveTarget> => {
    const store = folderStore(chooseFolder, new StaleFileSweeper(LIFETIME));
    const found = await store.prepare(name, { ...MODES, req, signal: abort.signal });
    openTargets.add(found);
    return found;
  };

  it.each([
    ['at once', (path: string) => path],
    ['later', (path: string) => Promise.resolve(path)],
  ])('uses the folder chosen for the request (%s)', async (_when, given) => {
    const asked: unknown[] = [];
    const found = await prepare((asking) => {
      asked.push(asking);
      return given(inFolder('saved'));
    });
    expect(asked).toHaveLength(1);
    expect(asked[0]).toBe(req);
    const facts = { format: 'png', type: 'image/png', width: 1, height: 1, pages: 1, pixels: 1 } as const;
    await found.publish({ ...facts, bytes: inMemory('new') }, allow);
    await close(found);
    expect([await inSaved(), await content()]).toEqual([['a.png'], 'new']);
  });

  it('is refused if saving is disabled', async () => {
    expect(await codeOf(() => prepare(() => ''))).toBe('saving-disabled');
    expect(await codeOf(() => prepare(() => Promise.resolve('')))).toBe('saving-disabled');
  });

  it.each(['rejects', 'throws'])(
    'is refused if choosing the folder %s, with the error as the cause',
    async (how) => {
      const fault = new Error('no such tenant');
      const choose = (): Promise<string> => {
        if (how === 'rejects') return Promise.reject(fault);
        throw fault;
      };
      const { code, cause, message } = await refusalOf(() => prepare(choose));
      expect([code, cause]).toEqual(['save-path-missing', fault]);
      expect(message).not.toContain('tenant');
    },
  );

  it('stops before it opens a folder if the signal aborts while the folder is chosen', async () => {
    const reason = new Error('too late');
    const opened = jest.spyOn(DirectoryHandle, 'open');
    const finding = prepare(() => {
      abort.abort(reason);
      return inFolder('saved');
    });
    await expect(finding).rejects.toBe(reason);
    expect(opened).not.toHaveBeenCalled();
  });

  it('sweeps the folder of the target and no other', async () => {
    const left = `.image-save-60000-${'a'.repeat(32)}.tmp`;
    await mkdir(inFolder('saved/shoes'));
    for (const folder of ['saved', 'saved/shoes']) {
      await writeFile(inFolder(folder, left), '');
      await utimes(inFolder(folder, left), 0, 0);
    }
    // Closing waits for the sweep.
    await close(await prepare(() => inFolder('saved'), 'shoes/a.png'));
    expect(await readdir(inFolder('saved/shoes'))).toEqual([]);
    expect(await inSaved()).toEqual([left, 'shoes']);
  });
});

describe('the store tests', () => {
  const openStore = async (): Promise<StoreFixture> => {
    const savePath = await mkdtemp(inFolder('store-'));
    return {
      store: folderStore(() => savePath, new StaleFileSweeper(60_000)),
      prepare: async (name) => {
        await mkdir(join(savePath, dirname(name)), { recursive: true });
      },
      read: (name) => readFile(join(savePath, name)),
      list: async () => {
        const paths = await readdir(savePath, { recursive: true });
        const isFile = await Promise.all(
          paths.map(async (path) => (await stat(join(savePath, path))).isFile()),
        );
        return paths.filter((_, index) => isFile[index]).map((path) => path.replaceAll(sep, '/'));
      },
      close: () => rm(savePath, { recursive: true }),
    };
  };
  for (const { name, run } of storeTests({ open: openStore })) test(name, run);
});
