// What lib/stores/folder/folder-store.ts does to a folder: a new file whole or the old one whole, and nothing left behind.
import fs, { renameSync, symlinkSync } from 'node:fs';
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
import { folderStore, FolderTarget } from '../../../../lib/stores/folder/folder-store.js';
import { storeTests, type StoreFixture } from '../../../../lib/stores/conformance.js';
import type { SaveTarget, PrepareOptions, PublishResult } from '../../../../lib/stores/types.js';
import { StaleFileSweeper } from '../../../../lib/temp-files/stale-files.js';
import { DirectoryHandle, openTarget } from '../../../../lib/stores/folder/target.js';
import { canMount, runInChild, source } from '../../../support/run-in-child.js';
import { around, moment, turn } from '../../../support/intercept-fs.js';
import { descriptorsBelow, onLinux, useFolder } from '../../../support/temp-dir.js';
import { codeOf, refusalOf } from '../../../support/refusal.js';

const inFolder = useFolder();

const MODES = { overwrite: true, durable: true };
const nothing = (): void => undefined;
const bytes = (text: string): Buffer[] => [Buffer.from(text)];
const inSaved = (): Promise<string[]> => readdir(inFolder('saved'));
const content = (): Promise<string> => readFile(inFolder('saved/a.png'), 'utf8');

/** The places that a test has to close, each of them once. */
const openPlaces = new Set<SaveTarget>();

async function placeFor(modes: Partial<typeof MODES> = {}, swept?: Promise<void>): Promise<FolderTarget> {
  const wish = { ...MODES, ...modes };
  const found = new FolderTarget(await openTarget(inFolder('saved'), ['a.png'], wish), wish, swept);
  openPlaces.add(found);
  return found;
}

async function close(one: SaveTarget): Promise<void> {
  if (openPlaces.delete(one)) await one.close?.();
}

/** Publishes what has been written to the file of a place. */
const publish = (one: FolderTarget, lastLook: () => void = nothing): Promise<PublishResult> =>
  one.publish({ bytes: one.tempFile }, lastLook);

let place: FolderTarget;

beforeEach(async () => {
  await mkdir(inFolder('saved'));
  await mkdir(inFolder('outside'));
  place = await placeFor();
});
afterEach(async () => {
  jest.restoreAllMocks();
  for (const one of openPlaces) await close(one);
});

/** A place with an image in its file, that replaces or that keeps what is there. */
async function placeWithImage(overwrite: boolean): Promise<FolderTarget> {
  const one = await placeFor({ overwrite });
  await one.tempFile.write(bytes('new'));
  return one;
}

describe('the file of a place', () => {
  it('has a hidden name that nobody can guess, in the folder that is saved to', async () => {
    const other = await placeFor();
    expect(await inSaved()).toEqual([]);
    await place.tempFile.write(bytes('x'));
    await other.tempFile.write(bytes('x'));
    const names = await inSaved();
    expect(names).toEqual([
      expect.stringMatching(/^\.image-save-[0-9a-f]{32}\.tmp$/),
      expect.stringMatching(/^\.image-save-[0-9a-f]{32}\.tmp$/),
    ]);
    expect(new Set(names).size).toBe(2);
  });
});

describe('publishing', () => {
  it('puts the bytes under the name, and nothing else into the folder', async () => {
    await place.tempFile.write(bytes('new'));
    await publish(place);
    await close(place);
    expect([await inSaved(), await content()]).toEqual([['a.png'], 'new']);
  });

  it.each([true, false])('takes an image from memory, too (overwrite: %s)', async (overwrite) => {
    const one = await placeFor({ overwrite });
    await one.publish({ bytes: Buffer.from('new') }, nothing);
    await close(one);
    expect([await inSaved(), await content()]).toEqual([['a.png'], 'new']);
  });

  it.each([true, false])('needs neither the old file nor its absence (overwrite: %s)', async (overwrite) => {
    const one = await placeWithImage(overwrite);
    await publish(one);
    await close(one);
    expect([await inSaved(), await content()]).toEqual([['a.png'], 'new']);
    expect((await stat(inFolder('saved/a.png'))).nlink).toBe(1);
  });

  it('tells the modification time that the file has, in whole milliseconds', async () => {
    await place.tempFile.write(bytes('new'));
    const { lastUpdated, warning } = await publish(place);
    expect(Number.isInteger(lastUpdated)).toBe(true);
    expect(lastUpdated).toBe(Math.floor((await stat(inFolder('saved/a.png'))).mtimeMs));
    expect(warning).toBeUndefined();
  });

  it('replaces the old file', async () => {
    await writeFile(inFolder('saved/a.png'), 'old');
    await place.tempFile.write(bytes('new'));
    await publish(place);
    expect([await inSaved(), await content()]).toEqual([['a.png'], 'new']);
  });

  it('leaves a hard link to the old file its content, and a reader who has it open, too', async () => {
    await writeFile(inFolder('saved/a.png'), 'old');
    await link(inFolder('saved/a.png'), inFolder('backup'));
    const reader = await open(inFolder('saved/a.png'));
    await place.tempFile.write(bytes('new'));
    await publish(place);
    expect(await content()).toBe('new');
    expect(await readFile(inFolder('backup'), 'utf8')).toBe('old');
    expect(await reader.readFile('utf8')).toBe('old');
    await reader.close();
  });

  it('replaces a link, and leaves what it leads to', async () => {
    await writeFile(inFolder('outside/secret'), 'secret');
    await symlink(inFolder('outside/secret'), inFolder('saved/a.png'));
    await place.tempFile.write(bytes('new'));
    await publish(place);
    expect((await lstat(inFolder('saved/a.png'))).isFile()).toBe(true);
    expect(await readFile(inFolder('outside/secret'), 'utf8')).toBe('secret');
  });

  it.each([
    ['a file', () => writeFile(inFolder('saved/a.png'), 'old')],
    ['a dangling link', () => symlink(inFolder('nowhere'), inFolder('saved/a.png'))],
    ['a folder', () => mkdir(inFolder('saved/a.png'))],
  ])('keeps %s that has come in the meantime under overwrite: false', async (_what, come) => {
    const one = await placeWithImage(false);
    await come();
    const before = await lstat(inFolder('saved/a.png'));
    expect(await codeOf(() => publish(one))).toBe('file-exists');
    await close(one);
    expect(await inSaved()).toEqual(['a.png']);
    expect((await lstat(inFolder('saved/a.png'))).ino).toBe(before.ino);
  });

  it('does not replace a folder that has come in the meantime', async () => {
    await place.tempFile.write(bytes('new'));
    await mkdir(inFolder('saved/a.png'));
    expect(await codeOf(() => publish(place))).toBe('not-a-file');
    await close(place);
    expect((await lstat(inFolder('saved/a.png'))).isDirectory()).toBe(true);
    expect(await inSaved()).toEqual(['a.png']);
  });

  it.each(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'])(
    'under overwrite: false says so where the file system makes no links: %s',
    async (code) => {
      const one = await placeWithImage(false);
      around('link', () => Promise.reject(Object.assign(new Error(code), { code })));
      expect(await codeOf(() => publish(one))).toBe('no-hard-links');
      await close(one);
      expect(await inSaved()).toEqual([]);
    },
  );

  it('lets one of several under overwrite: false win, whole', async () => {
    const places = await Promise.all(
      Array.from({ length: 8 }, async (_, at) => {
        const one = await placeFor({ overwrite: false });
        await one.tempFile.write(bytes(`image ${at}`));
        return one;
      }),
    );
    const codes = await Promise.all(
      places.map((one) =>
        publish(one).then(
          () => 'done',
          (error: unknown) => (error as { code: string }).code,
        ),
      ),
    );
    await Promise.all(places.map((one) => close(one)));
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
        const one = await placeFor({ durable: round % 2 === 0 });
        const image = Buffer.from(images[round % 3] ?? '');
        await one.tempFile.write([image.subarray(0, 1000)]);
        await one.tempFile.write([image.subarray(1000)]);
        await publish(one);
        await close(one);
      }
      publishing = false;
    };
    const [reads] = await Promise.all([read(), write()]);
    expect(reads).toBeGreaterThan(0);
  });

  it('of a file that is gone fails', async () => {
    await writeFile(inFolder('saved/a.png'), 'old');
    await place.tempFile.write(bytes('new'));
    await rm(place.tempFile.path);
    expect(await codeOf(() => publish(place))).toBe('folder-missing');
    expect(await content()).toBe('old');
  });
});

describe('the order of publishing', () => {
  const happened: string[] = [];

  /** Listens to the calls that reach the system, from the first byte on; all of them go through. */
  function listen(): void {
    happened.length = 0;
    let file: unknown;
    around('open', async (real) => {
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
    around('writev', note('write'));
    around('fsync', note('flush'));
    around('close', note('close'));
    const { closeSync } = fs;
    jest.spyOn(fs, 'closeSync').mockImplementation((descriptor) => {
      closeSync(descriptor);
      happened.push('close folder');
    });
    for (const name of ['rename', 'link', 'unlink'] as const) {
      around(name, (real) => {
        happened.push(name);
        return real();
      });
    }
  }
  const lastLook = (): void => {
    happened.push('last look');
  };

  describe.each(['a file', 'memory'])('from %s', (from) => {
    test.each([
      [
        { overwrite: true, durable: true },
        ['write file', 'flush file', 'close file', 'last look', 'rename', 'flush folder', 'close folder'],
      ],
      [
        { overwrite: true, durable: false },
        ['write file', 'close file', 'last look', 'rename', 'close folder'],
      ],
      [
        { overwrite: false, durable: true },
        [
          ...['write file', 'flush file', 'close file', 'last look', 'link', 'flush folder'],
          ...['unlink', 'close folder'],
        ],
      ],
      [
        { overwrite: false, durable: false },
        ['write file', 'close file', 'last look', 'link', 'unlink', 'close folder'],
      ],
    ])('with %j is the one that keeps the promise', async (given, expected) => {
      const one = await placeFor(given);
      listen();
      if (from === 'a file') {
        await one.tempFile.write(bytes('new'));
        await publish(one, lastLook);
      } else {
        await one.publish({ bytes: Buffer.from('new') }, lastLook);
      }
      await close(one);
      expect(happened).toEqual(['make file', ...expected]);
      expect(await content()).toBe('new');
    });
  });

  it('reports a folder that cannot be flushed, and the image is published all the same', async () => {
    const fault = Object.assign(new Error('EIO'), { code: 'EIO' });
    await place.tempFile.write(bytes('new'));
    around('fsync', (real) => (happened.includes('last look') ? Promise.reject(fault) : real()));
    happened.length = 0;
    const published = await publish(place, lastLook);
    expect(published.warning).toBe(fault);
    expect(await content()).toBe('new');
  });
});

describe('the last look', () => {
  it.each([true, false])('may stop everything: the old file stays (overwrite: %s)', async (overwrite) => {
    const one = await placeWithImage(overwrite);
    await writeFile(inFolder('saved/a.png'), 'old');
    const late = new Error('too late');
    const refusal = await refusalOf(() =>
      publish(one, () => {
        throw late;
      }),
    );
    expect(refusal.cause).toBe(late);
    await close(one);
    expect([await inSaved(), await content()]).toEqual([['a.png'], 'old']);
  });
});

describe('a file that does not have all its bytes', () => {
  test.each([
    ['lost some', (path: string) => truncate(path, 2)],
    ['got some from elsewhere', (path: string) => appendFile(path, 'more')],
  ])('because it %s is not published', async (_what, change) => {
    await writeFile(inFolder('saved/a.png'), 'old');
    await place.tempFile.write(bytes('newer'));
    await change(place.tempFile.path);
    const { code, message } = await refusalOf(() => publish(place));
    expect(code).toBe('write-failed');
    expect(message).not.toContain(inFolder());
    await close(place);
    expect([await inSaved(), await content()]).toEqual([['a.png'], 'old']);
  });
});

describe('closing', () => {
  it('removes what was not published', async () => {
    await place.tempFile.write(bytes('x'));
    expect(await inSaved()).toHaveLength(1);
    await close(place);
    expect(await inSaved()).toEqual([]);
  });

  it('of a file that is discarded while it is being published leaves nothing', async () => {
    await place.tempFile.write(bytes('new'));
    const [begun, removed] = [moment(), moment()];
    around('fsync', async (real) => {
      begun.comes();
      await removed.come;
      return real();
    });
    around('unlink', async (real) => {
      await real();
      removed.comes();
    });
    const publishing = publish(place).then(
      () => true,
      () => false,
    );
    await begun.come;
    await place.tempFile.discard();
    expect([await publishing, await inSaved()]).toEqual([false, []]);
  });

  it.each([true, false])('after publishing leaves the image (overwrite: %s)', async (overwrite) => {
    const one = await placeWithImage(overwrite);
    await publish(one);
    await one.tempFile.discard();
    await close(one);
    expect([await inSaved(), await content()]).toEqual([['a.png'], 'new']);
  });

  it('never fails, even where the folder has gone', async () => {
    await place.tempFile.write(bytes('x'));
    await rm(inFolder('saved'), { recursive: true });
    await close(place);
  });

  onLinux('by its descriptor', () => {
    it('waits for a sweep that goes by the descriptor of the folder', async () => {
      await close(place);
      const swept = moment();
      const one = await placeFor({}, swept.come);
      const closing = close(one);
      await turn();
      expect(await descriptorsBelow(inFolder())).toEqual([inFolder('saved')]);
      swept.comes();
      await closing;
      expect(await descriptorsBelow(inFolder())).toEqual([]);
    });
  });
});

onLinux('descriptors', () => {
  it('are closed after every way that a save can go', async () => {
    await close(place);
    const ways: ((one: FolderTarget) => Promise<unknown>)[] = [
      (one) => one.tempFile.discard(),
      (one) => one.tempFile.write(bytes('x')),
      (one) => publish(one),
      async (one) => {
        await one.tempFile.write(bytes('x'));
        await publish(one);
      },
      async (one) => {
        await one.tempFile.write(bytes('x'));
        await publish(one, () => {
          throw new Error('too late');
        });
      },
      (one) => one.publish({ bytes: Buffer.from('x') }, nothing),
      async (one) => {
        await one.tempFile.write(bytes('x'));
        await truncate(one.tempFile.path);
        await publish(one);
      },
      (one) => Promise.all([one.tempFile.write(bytes('x')), one.tempFile.discard()]),
    ];
    for (const overwrite of [true, false]) {
      for (const way of ways) {
        await rm(inFolder('saved/a.png'), { force: true });
        const one = await placeFor({ overwrite });
        await way(one).catch(() => undefined);
        await close(one);
      }
    }
    expect(await descriptorsBelow(inFolder())).toEqual([]);
  });
});

onLinux('the mode of a saved file', () => {
  it.each([0o000, 0o022, 0o027, 0o077])('is 0666 less the umask %o', async (umask) => {
    const modes = await runInChild(
      `import { stat } from 'node:fs/promises';
      import { openTarget } from ${source('lib/stores/folder/target.ts')};
      import { FolderTarget } from ${source('lib/stores/folder/folder-store.ts')};
      process.umask(${umask});
      const modes = [];
      for (const [name, overwrite] of [['a.png', true], ['b.png', false]]) {
        const target = await openTarget(${JSON.stringify(inFolder('saved'))}, [name], { overwrite });
        const place = new FolderTarget(target, { overwrite, durable: false });
        await place.publish({ bytes: Buffer.from('x') }, () => {});
        modes.push((await stat(target.directory.join(name))).mode & 0o777);
        await place.close();
      }
      console.log(JSON.stringify(modes));`,
    );
    expect(modes).toEqual([0o666 & ~umask, 0o666 & ~umask]);
  });

  it('does not depend on the mode of the file that was there', async () => {
    await writeFile(inFolder('saved/a.png'), 'old', { mode: 0o400 });
    await writeFile(inFolder('outside/a.png'), 'as any other file');
    await place.tempFile.write(bytes('new'));
    await publish(place);
    expect((await stat(inFolder('saved/a.png'))).mode & 0o777).toBe(
      (await stat(inFolder('outside/a.png'))).mode & 0o777,
    );
  });
});

(canMount ? describe : describe.skip)('a disk that is full', () => {
  it('is noticed, even where a write stops half-way; the old file stays, and nothing else', async () => {
    const seen = await runInChild(
      `import { readdir, readFile, writeFile } from 'node:fs/promises';
      import { openTarget } from ${source('lib/stores/folder/target.ts')};
      import { FolderTarget } from ${source('lib/stores/folder/folder-store.ts')};
      const savePath = ${JSON.stringify(inFolder('saved'))};
      await writeFile(savePath + '/a.png', 'old');
      const seen = [];
      for (const chunks of [[1 << 20], [50_000, 50_000, 50_000], Array(200).fill(1000)]) {
        const target = await openTarget(savePath, ['a.png'], { overwrite: true });
        const place = new FolderTarget(target, { overwrite: true, durable: true });
        try {
          await place.tempFile.write(chunks.map((size) => Buffer.alloc(size)));
          await place.publish({ bytes: place.tempFile }, () => {});
          seen.push('published');
        } catch (error) {
          seen.push(error.code, error.cause.code);
        }
        await place.close();
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
  const swapped = async (): Promise<void> => {
    await rename(inFolder('saved'), inFolder('moved'));
    await symlink(inFolder('outside'), inFolder('saved'));
  };

  describe.each([
    ['moved', () => rename(inFolder('saved'), inFolder('moved'))],
    ['removed', () => rm(inFolder('saved'), { recursive: true })],
    ['swapped for a link', swapped],
  ])('by being %s', (_what, change) => {
    it.each([
      ['a file', () => place.tempFile.write(bytes('x'))],
      ['memory', () => place.publish({ bytes: Buffer.from('x') }, nothing)],
    ])('before the first byte gets no file at all (from %s)', async (_from, save) => {
      await change();
      expect(await codeOf(save)).toBe('folder-changed');
      await close(place);
      expect(await readdir(inFolder('outside'))).toEqual([]);
      expect(await readdir(inFolder('moved')).catch(() => [])).toEqual([]);
    });
  });

  test.each([
    ['moved', () => rename(inFolder('saved'), inFolder('moved'))],
    ['swapped for a link', swapped],
  ])('by being %s before publishing keeps its old file', async (_what, change) => {
    await writeFile(inFolder('saved/a.png'), 'old');
    await place.tempFile.write(bytes('new'));
    await change();
    expect(await codeOf(() => publish(place))).toBe('folder-changed');
    await close(place);
    expect(await readdir(inFolder('outside'))).toEqual([]);
    expect(await readdir(inFolder('moved'))).toEqual(['a.png']);
    expect(await readFile(inFolder('moved/a.png'), 'utf8')).toBe('old');
  });

  it.each([true, false])(
    'by a link after the last look does not lead the image out (overwrite: %s)',
    async (overwrite) => {
      const one = await placeWithImage(overwrite);
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

describe('finding a place', () => {
  const MAX_AGE = 60_000;
  let abort: AbortController;
  let req: IncomingMessage;

  beforeEach(async () => {
    await close(place);
    abort = new AbortController();
    req = new IncomingMessage(new Socket());
  });

  const find = async (
    chooseFolder: (req: IncomingMessage) => string | Promise<string>,
    name = 'a.png',
    changes: Partial<PrepareOptions> = {},
  ): Promise<SaveTarget> => {
    const store = folderStore(chooseFolder, new StaleFileSweeper(MAX_AGE));
    const found = await store.prepare(name, { ...MODES, req, signal: abort.signal, ...changes });
    openPlaces.add(found);
    return found;
  };
  const publishIn = async (found: SaveTarget): Promise<void> => {
    const facts = { format: 'png', type: 'image/png', width: 1, height: 1, pages: 1, pixels: 1 } as const;
    await found.publish({ ...facts, bytes: Buffer.from('new') }, nothing);
    await close(found);
  };

  it.each([
    ['at once', (path: string) => path],
    ['later', (path: string) => Promise.resolve(path)],
  ])('goes by the folder that is chosen for the request, %s', async (_when, given) => {
    const asked: IncomingMessage[] = [];
    const found = await find((asking) => {
      asked.push(asking);
      return given(inFolder('saved'));
    });
    expect(asked).toHaveLength(1);
    expect(asked[0]).toBe(req);
    await publishIn(found);
    expect([await inSaved(), await content()]).toEqual([['a.png'], 'new']);
  });

  it('goes into the folders of the name', async () => {
    await mkdir(inFolder('saved/shoes/red'), { recursive: true });
    await publishIn(await find(() => inFolder('saved'), 'shoes/red/a.png'));
    expect(await readdir(inFolder('saved/shoes/red'))).toEqual(['a.png']);
  });

  it('is refused where saving is disabled', async () => {
    expect(await codeOf(() => find(() => ''))).toBe('saving-disabled');
    expect(await codeOf(() => find(() => Promise.resolve('')))).toBe('saving-disabled');
  });

  it.each([
    [
      'throws',
      (fault: Error) => {
        throw fault;
      },
    ],
    ['rejects', (fault: Error) => Promise.reject(fault)],
  ])('is refused where choosing %s, and the operator learns why', async (_how, choose) => {
    const fault = new Error('no such tenant');
    const { code, cause, message } = await refusalOf(() => find(() => choose(fault)));
    expect([code, cause]).toEqual(['save-path-missing', fault]);
    expect(message).not.toContain('tenant');
  });

  it('is refused where the folder is not there, or the name is taken', async () => {
    expect(await codeOf(() => find(() => inFolder('nowhere')))).toBe('save-path-missing');
    expect(await codeOf(() => find(() => inFolder('saved'), 'shoes/a.png'))).toBe('folder-missing');
    await writeFile(inFolder('saved/a.png'), 'old');
    const keeping = { overwrite: false };
    expect(await codeOf(() => find(() => inFolder('saved'), 'a.png', keeping))).toBe('file-exists');
    await close(await find(() => inFolder('saved')));
  });

  it('ends where the save loses its purpose while the folder is chosen, and opens nothing', async () => {
    const reason = new Error('too late');
    const opened = jest.spyOn(DirectoryHandle, 'open');
    const finding = find(() => {
      abort.abort(reason);
      return inFolder('saved');
    });
    await expect(finding).rejects.toBe(reason);
    expect(opened).not.toHaveBeenCalled();
  });

  it.each([true, false])('tells the place what was wished for (overwrite: %s)', async (overwrite) => {
    const found = await find(() => inFolder('saved'), 'a.png', { overwrite, durable: false });
    const flushed = around('fsync', (real) => real());
    await writeFile(inFolder('saved/a.png'), 'old');
    const verdict = await publishIn(found).then(
      () => 'done',
      (error: unknown) => (error as { code: string }).code,
    );
    expect([verdict, await content()]).toEqual(overwrite ? ['done', 'new'] : ['file-exists', 'old']);
    expect(flushed).not.toHaveBeenCalled();
  });

  it('sweeps the folder that is saved to, and no other', async () => {
    const left = `.image-save-${'a'.repeat(32)}.tmp`;
    await mkdir(inFolder('saved/shoes'));
    for (const folder of ['saved', 'saved/shoes']) {
      await writeFile(inFolder(folder, left), '');
      await utimes(inFolder(folder, left), 0, 0);
    }
    // Closing waits for the sweep.
    await close(await find(() => inFolder('saved'), 'shoes/a.png'));
    expect(await readdir(inFolder('saved/shoes'))).toEqual([]);
    expect(await inSaved()).toEqual([left, 'shoes']);
  });
});

describe('as any store', () => {
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
