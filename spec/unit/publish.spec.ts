// What lib/publish.ts does to a folder: a new file whole or the old one whole, and nothing left behind.
import { renameSync, symlinkSync } from 'node:fs';
// By its default, which is the module itself: calls on it can be listened to, and go through.
import fs, {
  appendFile,
  link,
  lstat,
  mkdir,
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
  type FileHandle,
} from 'node:fs/promises';
import { Sweeper, TemporaryFile, type PublishOptions } from '../../lib/publish.js';
import { Folder, openTarget, type Target } from '../../lib/target.js';
import { canMount, runInChild, source } from '../support/unit-child.js';
import { descriptorsBelow, onLinux, useFolder } from '../support/unit-folders.js';
import { codeOf, refusalOf } from '../support/unit-thrown.js';

const inFolder = useFolder();

let target: Target;
let file: TemporaryFile;

beforeEach(async () => {
  await mkdir(inFolder('saved'));
  await mkdir(inFolder('outside'));
  target = await openTarget(inFolder('saved'), ['a.png'], { overwrite: true });
  file = new TemporaryFile(target.folder);
});
afterEach(async () => {
  await file.discard();
  await target.folder.close();
});

const options = (changes: Partial<PublishOptions> = {}): PublishOptions => ({
  overwrite: true,
  durable: true,
  lastLook: () => undefined,
  ...changes,
});

const bytes = (text: string): Buffer[] => [Buffer.from(text)];
const inSaved = (): Promise<string[]> => readdir(inFolder('saved'));
const content = (): Promise<string> => readFile(inFolder('saved/a.png'), 'utf8');

describe('a temporary file', () => {
  it('is not there before the first write', async () => {
    expect(await inSaved()).toEqual([]);
    await file.discard();
    expect(await inSaved()).toEqual([]);
  });

  it('has a hidden name that nobody can guess, in the folder of its target', async () => {
    const other = new TemporaryFile(target.folder);
    await file.write(bytes('x'));
    await other.write(bytes('x'));
    const names = await inSaved();
    expect(names).toEqual([
      expect.stringMatching(/^\.image-save-[0-9a-f]{32}\.tmp$/),
      expect.stringMatching(/^\.image-save-[0-9a-f]{32}\.tmp$/),
    ]);
    expect(new Set(names).size).toBe(2);
    await other.discard();
  });

  it('holds what was written, in order, and counts it', async () => {
    await file.write(bytes('one '));
    await file.write([Buffer.from('two '), Buffer.alloc(0), Buffer.from('three ')]);
    await file.write([]);
    await file.write([Buffer.alloc(0)]);
    await file.write([new Uint8Array(Buffer.from('four'))]);
    expect(file.length).toBe('one two three four'.length);
    const { path, handle } = await file.open();
    expect(await readFile(path, 'utf8')).toBe('one two three four');
    // It can be read back by its handle, too.
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(100), 0, 100, 4);
    expect(buffer.toString('utf8', 0, bytesRead)).toBe('two three four');
  });

  it('takes more chunks at once than the system does in one call', async () => {
    const chunks = Array.from({ length: 5000 }, (_, at) => Buffer.from(`${at};`));
    await file.write(chunks);
    await file.publishAs(target, options());
    expect(await content()).toBe(chunks.join(''));
  });

  it('is opened exclusively, and never through a link', async () => {
    await symlink(inFolder('outside/secret'), inFolder('saved/link'));
    const openFile = jest.spyOn(fs, 'open');
    await file.write(bytes('x'));
    const flags = Number(openFile.mock.calls[0]?.[1]);
    openFile.mockRestore();
    const { O_CREAT, O_EXCL, O_NOFOLLOW } = fs.constants;
    expect(flags & O_CREAT).toBe(O_CREAT);
    expect(flags & O_EXCL).toBe(O_EXCL);
    expect(flags & O_NOFOLLOW).toBe(O_NOFOLLOW);
  });
});

describe('publishing', () => {
  it('puts the bytes under the name, and nothing else into the folder', async () => {
    await file.write(bytes('new'));
    await file.publishAs(target, options());
    await file.discard();
    expect([await inSaved(), await content()]).toEqual([['a.png'], 'new']);
  });

  it.each([true, false])('needs neither the old file nor its absence (overwrite: %s)', async (overwrite) => {
    await file.write(bytes('new'));
    await file.publishAs(target, options({ overwrite }));
    await file.discard();
    expect([await inSaved(), await content()]).toEqual([['a.png'], 'new']);
    expect((await stat(inFolder('saved/a.png'))).nlink).toBe(1);
  });

  it('tells the modification time that the file has, in whole milliseconds', async () => {
    await file.write(bytes('new'));
    const { lastUpdated, flushFault } = await file.publishAs(target, options());
    expect(Number.isInteger(lastUpdated)).toBe(true);
    expect(lastUpdated).toBe(Math.floor((await stat(inFolder('saved/a.png'))).mtimeMs));
    expect(flushFault).toBeUndefined();
  });

  it('replaces the old file', async () => {
    await writeFile(inFolder('saved/a.png'), 'old');
    await file.write(bytes('new'));
    await file.publishAs(target, options());
    expect([await inSaved(), await content()]).toEqual([['a.png'], 'new']);
  });

  it('leaves a hard link to the old file its content, and a reader who has it open, too', async () => {
    await writeFile(inFolder('saved/a.png'), 'old');
    await link(inFolder('saved/a.png'), inFolder('backup'));
    const reader = await open(inFolder('saved/a.png'));
    await file.write(bytes('new'));
    await file.publishAs(target, options());
    expect(await content()).toBe('new');
    expect(await readFile(inFolder('backup'), 'utf8')).toBe('old');
    expect(await reader.readFile('utf8')).toBe('old');
    await reader.close();
  });

  it('replaces a link, and leaves what it leads to', async () => {
    await writeFile(inFolder('outside/secret'), 'secret');
    await symlink(inFolder('outside/secret'), inFolder('saved/a.png'));
    await file.write(bytes('new'));
    await file.publishAs(target, options());
    expect((await lstat(inFolder('saved/a.png'))).isFile()).toBe(true);
    expect(await readFile(inFolder('outside/secret'), 'utf8')).toBe('secret');
  });

  it.each([
    ['a file', () => writeFile(inFolder('saved/a.png'), 'old')],
    ['a dangling link', () => symlink(inFolder('nowhere'), inFolder('saved/a.png'))],
    ['a folder', () => mkdir(inFolder('saved/a.png'))],
  ])('keeps %s that has come in the meantime under overwrite: false', async (_what, come) => {
    await file.write(bytes('new'));
    await come();
    const before = await lstat(inFolder('saved/a.png'));
    expect(await codeOf(() => file.publishAs(target, options({ overwrite: false })))).toBe('file-exists');
    await file.discard();
    expect(await inSaved()).toEqual(['a.png']);
    expect((await lstat(inFolder('saved/a.png'))).ino).toBe(before.ino);
  });

  it('does not replace a folder that has come in the meantime', async () => {
    await file.write(bytes('new'));
    await mkdir(inFolder('saved/a.png'));
    expect(await codeOf(() => file.publishAs(target, options()))).toBe('not-a-file');
    await file.discard();
    expect((await lstat(inFolder('saved/a.png'))).isDirectory()).toBe(true);
    expect(await inSaved()).toEqual(['a.png']);
  });

  it('lets one of several under overwrite: false win, whole', async () => {
    const files = await Promise.all(
      Array.from({ length: 8 }, async (_, at) => {
        const one = new TemporaryFile(target.folder);
        await one.write(bytes(`image ${at}`));
        return one;
      }),
    );
    const codes = await Promise.all(
      files.map((one) =>
        one.publishAs(target, options({ overwrite: false })).then(
          () => 'done',
          (error: unknown) => (error as { code: string }).code,
        ),
      ),
    );
    await Promise.all(files.map((one) => one.discard()));
    expect(codes.filter((code) => code === 'done')).toHaveLength(1);
    expect(codes.filter((code) => code === 'file-exists')).toHaveLength(7);
    expect(await content()).toBe(`image ${codes.indexOf('done')}`);
    expect(await inSaved()).toEqual(['a.png']);
  });

  it('never shows a reader half a file', async () => {
    const images = ['a', 'b', 'c'].map((letter) => letter.repeat(300_000));
    await writeFile(inFolder('saved/a.png'), images[0] ?? '');
    let publishing = true;
    const read = async (): Promise<number> => {
      let reads = 0;
      for (; publishing || reads === 0; reads++) {
        if (!images.includes(await content())) throw new Error('A reader saw something else than an image');
      }
      return reads;
    };
    const write = async (): Promise<void> => {
      for (let round = 0; round < 30; round++) {
        const one = new TemporaryFile(target.folder);
        const image = Buffer.from(images[round % 3] ?? '');
        await one.write([image.subarray(0, 1000)]);
        await one.write([image.subarray(1000)]);
        await one.publishAs(target, options({ durable: round % 2 === 0 }));
        await one.discard();
      }
      publishing = false;
    };
    const [reads] = await Promise.all([read(), write()]);
    expect(reads).toBeGreaterThan(0);
  });

  it('of a file that is gone fails', async () => {
    await writeFile(inFolder('saved/a.png'), 'old');
    await file.write(bytes('new'));
    await rm((await file.open()).path);
    expect(await codeOf(() => file.publishAs(target, options()))).toBe('folder-missing');
    expect(await content()).toBe('old');
  });
});

describe('the order of publishing', () => {
  const happened: string[] = [];

  /** Listens to the calls that reach the system; all of them go through. */
  async function listen(): Promise<void> {
    happened.length = 0;
    const { handle } = await file.open();
    const prototype = Object.getPrototypeOf(handle) as Pick<FileHandle, 'sync' | 'writev'>;
    const sync = Reflect.get<typeof prototype, 'sync'>(prototype, 'sync');
    const writev = Reflect.get<typeof prototype, 'writev'>(prototype, 'writev');
    const close = handle.close.bind(handle);
    jest.spyOn(prototype, 'writev').mockImplementation(function (this: FileHandle, chunks, at) {
      happened.push('write file');
      return Reflect.apply(writev, this, [chunks, at]);
    });
    jest.spyOn(prototype, 'sync').mockImplementation(async function (this: FileHandle) {
      await Reflect.apply(sync, this, []);
      happened.push(this === handle ? 'flush file' : 'flush folder');
    });
    jest.spyOn(handle, 'close').mockImplementation(async () => {
      if (handle.fd >= 0) happened.push('close file');
      await close();
    });
    for (const call of ['rename', 'link', 'unlink'] as const) {
      const original = fs[call] as (...paths: unknown[]) => Promise<void>;
      jest.spyOn(fs, call).mockImplementation((...paths: unknown[]) => {
        happened.push(call);
        return original(...paths);
      });
    }
  }
  afterEach(() => {
    jest.restoreAllMocks();
  });
  const lastLook = (): void => {
    happened.push('last look');
  };

  test.each([
    [
      { overwrite: true, durable: true },
      ['write file', 'flush file', 'close file', 'last look', 'rename', 'flush folder'],
    ],
    [{ overwrite: true, durable: false }, ['write file', 'close file', 'last look', 'rename']],
    [
      { overwrite: false, durable: true },
      ['write file', 'flush file', 'close file', 'last look', 'link', 'flush folder', 'unlink'],
    ],
    [{ overwrite: false, durable: false }, ['write file', 'close file', 'last look', 'link', 'unlink']],
  ])('with %j is the one that keeps the promise', async (given, expected) => {
    await listen();
    await file.write(bytes('new'));
    await file.publishAs(target, { ...given, lastLook });
    await file.discard();
    expect(happened).toEqual(expected);
  });

  it('reports a folder that cannot be flushed, and the image is published all the same', async () => {
    const fault = Object.assign(new Error('EIO'), { code: 'EIO' });
    jest.spyOn(target.folder, 'flush').mockRejectedValue(fault);
    await file.write(bytes('new'));
    const { flushFault } = await file.publishAs(target, options());
    expect(flushFault).toBe(fault);
    expect(await content()).toBe('new');
  });
});

describe('the last look', () => {
  it.each([true, false])('may stop everything: the old file stays (overwrite: %s)', async (overwrite) => {
    await writeFile(inFolder('saved/a.png'), 'old');
    await file.write(bytes('new'));
    const late = new Error('too late');
    const refusal = await refusalOf(() =>
      file.publishAs(
        target,
        options({
          overwrite,
          lastLook: () => {
            throw late;
          },
        }),
      ),
    );
    expect(refusal.cause).toBe(late);
    await file.discard();
    expect([await inSaved(), await content()]).toEqual([['a.png'], 'old']);
  });
});

describe('a file that does not have all its bytes', () => {
  test.each([
    ['lost some', (path: string) => truncate(path, 2)],
    ['got some from elsewhere', (path: string) => appendFile(path, 'more')],
  ])('because it %s is not published', async (_what, change) => {
    await writeFile(inFolder('saved/a.png'), 'old');
    await file.write(bytes('newer'));
    await change((await file.open()).path);
    const { code, message } = await refusalOf(() => file.publishAs(target, options()));
    expect(code).toBe('write-failed');
    expect(message).not.toContain(inFolder());
    await file.discard();
    expect([await inSaved(), await content()]).toEqual([['a.png'], 'old']);
  });
});

describe('discarding', () => {
  it('before anything was written keeps anything from being written', async () => {
    await file.discard();
    expect(await codeOf(() => file.write(bytes('x')))).toBe('write-failed');
    await expect(file.open()).rejects.toThrow();
    expect(await inSaved()).toEqual([]);
  });

  it('while the file is being opened removes it', async () => {
    const writing = file.write(bytes('x')).catch(() => undefined);
    await file.discard();
    await writing;
    expect(await inSaved()).toEqual([]);
  });

  it('while it is being written removes it', async () => {
    await file.write(bytes('x'));
    const writing = file.write([Buffer.alloc(8 * 1024 * 1024)]).catch(() => undefined);
    await file.discard();
    await writing;
    expect(await inSaved()).toEqual([]);
  });

  it('while it is being published removes it, or comes too late', async () => {
    await file.write(bytes('new'));
    const publishing = file.publishAs(target, options()).then(
      () => true,
      () => false,
    );
    await file.discard();
    expect([await publishing, await inSaved()]).toEqual([false, []]);
  });

  it('after it was written removes it, and twice is once', async () => {
    await file.write(bytes('x'));
    await Promise.all([file.discard(), file.discard()]);
    await file.discard();
    expect(await inSaved()).toEqual([]);
  });

  it.each([true, false])('after it was published leaves the image (overwrite: %s)', async (overwrite) => {
    await file.write(bytes('new'));
    await file.publishAs(target, options({ overwrite }));
    await file.discard();
    await file.discard();
    expect([await inSaved(), await content()]).toEqual([['a.png'], 'new']);
  });

  it('never fails, even where the file or the whole folder has gone', async () => {
    await file.write(bytes('x'));
    await rm(inFolder('saved'), { recursive: true });
    await file.discard();
  });

  it('never fails where there could be no file', async () => {
    await rm(inFolder('saved'), { recursive: true });
    await file.write(bytes('x')).catch(() => undefined);
    await file.discard();
  });
});

onLinux('descriptors', () => {
  it('are closed after every way that a save can go', async () => {
    const ways: ((one: TemporaryFile) => Promise<unknown>)[] = [
      (one) => one.discard(),
      (one) => one.write(bytes('x')),
      (one) => one.publishAs(target, options()),
      async (one) => {
        await one.write(bytes('x'));
        await one.publishAs(target, options());
      },
      async (one) => {
        await one.write(bytes('x'));
        await one.publishAs(target, options({ overwrite: false }));
      },
      async (one) => {
        await one.write(bytes('x'));
        await truncate((await one.open()).path);
        await one.publishAs(target, options());
      },
      (one) => Promise.all([one.write(bytes('x')), one.discard()]),
    ];
    for (const way of ways) {
      const one = new TemporaryFile(target.folder);
      await way(one).catch(() => undefined);
      await one.discard();
    }
    // Only the folder is open, by its one descriptor.
    expect(await descriptorsBelow(inFolder())).toEqual([inFolder('saved')]);
  });
});

onLinux('the mode of a saved file', () => {
  it.each([0o000, 0o022, 0o027, 0o077])('is 0666 less the umask %o', async (umask) => {
    const modes = await runInChild(
      `import { stat } from 'node:fs/promises';
      import { openTarget } from ${source('lib/target.ts')};
      import { TemporaryFile } from ${source('lib/publish.ts')};
      process.umask(${umask});
      const modes = [];
      for (const [name, overwrite] of [['a.png', true], ['b.png', false]]) {
        const target = await openTarget(${JSON.stringify(inFolder('saved'))}, [name], { overwrite });
        const file = new TemporaryFile(target.folder);
        await file.write([Buffer.from('x')]);
        await file.publishAs(target, { overwrite, durable: false, lastLook: () => {} });
        await file.discard();
        modes.push((await stat(target.folder.at(name))).mode & 0o777);
      }
      console.log(JSON.stringify(modes));`,
    );
    expect(modes).toEqual([0o666 & ~umask, 0o666 & ~umask]);
  });

  it('does not depend on the mode of the file that was there', async () => {
    await writeFile(inFolder('saved/a.png'), 'old', { mode: 0o400 });
    await writeFile(inFolder('outside/a.png'), 'as any other file');
    await file.write(bytes('new'));
    await file.publishAs(target, options());
    expect((await stat(inFolder('saved/a.png'))).mode & 0o777).toBe(
      (await stat(inFolder('outside/a.png'))).mode & 0o777,
    );
  });
});

(canMount ? describe : describe.skip)('a disk that is full', () => {
  it('is noticed, even where a write stops half-way; the old file stays, and nothing else', async () => {
    const seen = await runInChild(
      `import { readdir, readFile, writeFile } from 'node:fs/promises';
      import { openTarget } from ${source('lib/target.ts')};
      import { TemporaryFile } from ${source('lib/publish.ts')};
      const savePath = ${JSON.stringify(inFolder('saved'))};
      await writeFile(savePath + '/a.png', 'old');
      const seen = [];
      for (const chunks of [[1 << 20], [50_000, 50_000, 50_000], Array(200).fill(1000)]) {
        const target = await openTarget(savePath, ['a.png'], { overwrite: true });
        const file = new TemporaryFile(target.folder);
        try {
          await file.write(chunks.map((size) => Buffer.alloc(size)));
          await file.publishAs(target, { overwrite: true, durable: true, lastLook: () => {} });
          seen.push('published');
        } catch (error) {
          seen.push(error.code, error.cause.code);
        }
        await file.discard();
        await target.folder.close();
        seen.push(await readFile(savePath + '/a.png', 'utf8'), (await readdir(savePath)).length);
      }
      console.log(JSON.stringify(seen));`,
      { mount: { at: inFolder('saved'), options: 'size=100k' } },
    );
    const once = ['disk-full', 'ENOSPC', 'old', 1];
    expect(seen).toEqual([...once, ...once, ...once]);
  });
});

onLinux('a folder that changes', () => {
  test.each([
    ['moved', () => rename(inFolder('saved'), inFolder('moved'))],
    ['removed', () => rm(inFolder('saved'), { recursive: true })],
    [
      'swapped for a link',
      async () => {
        await rename(inFolder('saved'), inFolder('moved'));
        await symlink(inFolder('outside'), inFolder('saved'));
      },
    ],
  ])('by being %s before the first byte gets no file at all', async (_what, change) => {
    await change();
    expect(await codeOf(() => file.write(bytes('x')))).toBe('folder-changed');
    await file.discard();
    expect(await readdir(inFolder('outside'))).toEqual([]);
    expect(await readdir(inFolder('moved')).catch(() => [])).toEqual([]);
  });

  test.each([
    ['moved', () => rename(inFolder('saved'), inFolder('moved'))],
    [
      'swapped for a link',
      async () => {
        await rename(inFolder('saved'), inFolder('moved'));
        await symlink(inFolder('outside'), inFolder('saved'));
      },
    ],
  ])('by being %s before publishing keeps its old file', async (_what, change) => {
    await writeFile(inFolder('saved/a.png'), 'old');
    await file.write(bytes('new'));
    await change();
    expect(await codeOf(() => file.publishAs(target, options()))).toBe('folder-changed');
    await file.discard();
    expect(await readdir(inFolder('outside'))).toEqual([]);
    expect(await readdir(inFolder('moved'))).toEqual(['a.png']);
    expect(await readFile(inFolder('moved/a.png'), 'utf8')).toBe('old');
  });

  it.each([true, false])(
    'by a link after the last look does not lead the image out (overwrite: %s)',
    async (overwrite) => {
      await writeFile(inFolder('outside/a.png'), 'theirs');
      await file.write(bytes('new'));
      await file.publishAs(
        target,
        options({
          overwrite,
          lastLook: () => {
            renameSync(inFolder('saved'), inFolder('moved'));
            symlinkSync(inFolder('outside'), inFolder('saved'));
          },
        }),
      );
      await file.discard();
      expect(await readdir(inFolder('outside'))).toEqual(['a.png']);
      expect(await readFile(inFolder('outside/a.png'), 'utf8')).toBe('theirs');
      expect(await readdir(inFolder('moved'))).toEqual(['a.png']);
    },
  );
});

describe('sweeping', () => {
  const MAX_AGE = 60_000;
  const OURS = `.image-save-${'0123456789abcdef'.repeat(2)}.tmp`;
  /** What the clock shows while a folder is swept. */
  const NOW = Date.UTC(2026, 10, 22, 13, 28);

  const sweepAt = async (sweeper: Sweeper, now: number, folder = target.folder): Promise<void> => {
    const clock = jest.spyOn(Date, 'now').mockReturnValue(now);
    await sweeper.sweep(folder);
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
    await sweepAt(new Sweeper(MAX_AGE), NOW);
    expect(await inSaved()).toEqual([]);
  });

  it('knows the names that temporary files are given', async () => {
    await file.write(bytes('x'));
    const [name = ''] = await inSaved();
    await age(name, MAX_AGE + 1000);
    await sweepAt(new Sweeper(MAX_AGE), NOW);
    expect(await inSaved()).toEqual([]);
  });

  it('leaves what may belong to a save that still runs', async () => {
    await leave(OURS, MAX_AGE - 1000);
    await leave(`.image-save-${'a'.repeat(32)}.tmp`, MAX_AGE);
    await leave(`.image-save-${'b'.repeat(32)}.tmp`, -MAX_AGE);
    await sweepAt(new Sweeper(MAX_AGE), NOW);
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
    await sweepAt(new Sweeper(MAX_AGE), NOW);
    expect(await inSaved()).toEqual(names.sort());
  });

  it('leaves what is not a file', async () => {
    await mkdir(inFolder('saved', OURS));
    await age(OURS, 100 * MAX_AGE);
    await writeFile(inFolder('outside/a'), 'kept');
    await utimes(inFolder('outside/a'), 0, 0);
    const linked = `.image-save-${'c'.repeat(32)}.tmp`;
    await symlink(inFolder('outside/a'), inFolder('saved', linked));
    await sweepAt(new Sweeper(MAX_AGE), NOW + 365 * 24 * 3_600_000);
    expect(await inSaved()).toEqual([OURS, linked].sort());
    expect(await readFile(inFolder('outside/a'), 'utf8')).toBe('kept');
  });

  it('does not go into other folders', async () => {
    await mkdir(inFolder('saved/shoes'));
    await leave(`shoes/${OURS}`, 100 * MAX_AGE);
    await sweepAt(new Sweeper(MAX_AGE), NOW);
    expect(await readdir(inFolder('saved/shoes'))).toEqual([OURS]);
  });

  it('looks into a folder once, until what was too young then is old enough', async () => {
    const sweeper = new Sweeper(MAX_AGE);
    await sweepAt(sweeper, NOW);
    await leave(OURS, 100 * MAX_AGE);
    await sweepAt(sweeper, NOW + 1);
    await sweepAt(sweeper, NOW + MAX_AGE - 1);
    expect(await inSaved()).toEqual([OURS]);
    await sweepAt(sweeper, NOW + MAX_AGE);
    expect(await inSaved()).toEqual([]);
  });

  it('looks into each folder, and each middleware looks for itself', async () => {
    const sweeper = new Sweeper(MAX_AGE);
    const outside = await Folder.open(inFolder('outside'));
    await writeFile(inFolder('outside', OURS), '');
    await utimes(inFolder('outside', OURS), 0, 0);
    await sweepAt(sweeper, NOW);
    await sweepAt(sweeper, NOW, outside);
    expect(await readdir(inFolder('outside'))).toEqual([]);
    await outside.close();
    await leave(OURS, 100 * MAX_AGE);
    await sweepAt(new Sweeper(MAX_AGE), NOW + 1);
    expect(await inSaved()).toEqual([]);
  });

  it('survives a folder that has vanished', async () => {
    await rm(inFolder('saved'), { recursive: true });
    await sweepAt(new Sweeper(MAX_AGE), NOW);
  });

  it('survives a file that somebody else removes first', async () => {
    const names = Array.from({ length: 50 }, (_, at) => `.image-save-${String(at).padStart(32, '0')}.tmp`);
    for (const name of names) await leave(name, 100 * MAX_AGE);
    await Promise.all(
      [new Sweeper(MAX_AGE), new Sweeper(MAX_AGE)].map((sweeper) => sweeper.sweep(target.folder)),
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
      await sweepAt(new Sweeper(MAX_AGE), NOW);
      expect(await readdir(inFolder('moved'))).toEqual([]);
      expect(await readdir(inFolder('outside'))).toEqual([OURS]);
      expect(await descriptorsBelow(inFolder())).toEqual([inFolder('moved')]);
    });
  });

  it('keeps the memory of folders small', async () => {
    // More folders than are remembered: known by nothing but their paths, as the sweeper knows them.
    const sweeper = new Sweeper(MAX_AGE);
    const known = await Folder.open(inFolder('outside'));
    await sweepAt(sweeper, NOW, known);
    const gone = Object.assign(Object.create(target.folder) as Folder, { at: () => inFolder('nowhere') });
    for (let count = 0; count < 10_000; count++) {
      await sweepAt(sweeper, NOW, Object.create(gone, { path: { value: `/gone/${count}` } }) as Folder);
    }
    await writeFile(inFolder('outside', OURS), '');
    await utimes(inFolder('outside', OURS), 0, 0);
    // It has been forgotten, and is swept once more.
    await sweepAt(sweeper, NOW, known);
    expect(await readdir(inFolder('outside'))).toEqual([]);
    await known.close();
  });
});
