// What lib/spool.ts keeps in a file until somebody has looked at it, and that nothing of it stays.
import { constants, readdirSync } from 'node:fs';
import {
  access,
  appendFile,
  mkdir,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
// By its default, which is the module itself: calls on it can be listened to.
import os from 'node:os';
import { fsCalls } from '../../../lib/temp-files/fs.js';
import { createPrivateTempFile, DiskTempFile } from '../../../lib/temp-files/temp-file.js';
import { StaleFileSweeper, temporaryName } from '../../../lib/temp-files/stale-files.js';
import { around, moment, turn, type Moment } from '../../support/intercept-fs.js';
import { descriptorsBelow, onLinux, useFolder } from '../../support/temp-dir.js';
import { codeOf, refusalOf } from '../../support/refusal.js';

const inFolder = useFolder();

let file: DiskTempFile;

beforeEach(async () => {
  await mkdir(inFolder('saved'));
  file = newFile();
});
afterEach(async () => {
  jest.restoreAllMocks();
  await file.discard();
});

const newFile = (check?: () => Promise<void>): DiskTempFile =>
  new DiskTempFile(inFolder('saved', temporaryName()), 0o666, check);
const bytes = (text: string): Buffer[] => [Buffer.from(text)];
const inSaved = (): Promise<string[]> => readdir(inFolder('saved'));
const textFrom = async (position: number, of = file): Promise<string> => {
  const buffer = Buffer.alloc(100);
  return buffer.toString('utf8', 0, await of.read(buffer, position));
};

describe('a temporary file', () => {
  it('is not there before the first write', async () => {
    expect(await inSaved()).toEqual([]);
    await file.discard();
    expect(await inSaved()).toEqual([]);
  });

  it('holds what was written, in order, and counts it', async () => {
    await file.write(bytes('one '));
    await file.write([Buffer.from('two '), Buffer.alloc(0), Buffer.from('three ')]);
    await file.write([]);
    await file.write([Buffer.alloc(0)]);
    await file.write([new Uint8Array(Buffer.from('four'))]);
    expect(file.length).toBe('one two three four'.length);
    expect(await readFile(file.path, 'utf8')).toBe('one two three four');
  });

  it('can be read back from any position, between the writes too', async () => {
    await file.write(bytes('one '));
    expect(await textFrom(0)).toBe('one ');
    await file.write(bytes('two three four'));
    expect(await textFrom(4)).toBe('two three four');
    expect(await textFrom(14)).toBe('four');
    expect(await textFrom(18)).toBe('');
    const short = Buffer.alloc(3);
    expect([await file.read(short, 4), short.toString()]).toEqual([3, 'two']);
  });

  it('takes more chunks at once than the system does in one call', async () => {
    const chunks = Array.from({ length: 5000 }, (_, at) => Buffer.from(`${at};`));
    await file.write(chunks);
    expect(await readFile(file.path, 'utf8')).toBe(chunks.join(''));
  });

  it('continues a write that was short, in the middle of a chunk or at its end', async () => {
    for (const taken of [[1], [2], [3], [5], [1, 1, 1]]) {
      const one = newFile();
      const limits = [...taken];
      const spy = around('writev', (real, descriptor, chunks, position) => {
        const limit = limits.shift();
        if (limit === undefined) return real();
        const some = Buffer.concat(chunks as Buffer[]).subarray(0, limit);
        return spied(descriptor, [some], position);
      });
      const spied = spy.getMockImplementation()!;
      await one.write([Buffer.from('ab'), Buffer.from('cde'), Buffer.from('f')]);
      expect([one.length, await readFile(one.path, 'utf8')]).toEqual([6, 'abcdef']);
      spy.mockRestore();
      await one.discard();
    }
  });

  it('does not go on for ever where the file system takes nothing more', async () => {
    around('writev', () => Promise.resolve({ bytesWritten: 0 }));
    expect(await codeOf(() => file.write(bytes('x')))).toBe('write-failed');
  });

  it('is opened exclusively, and never through a link', async () => {
    const opened = around('open', (real) => real());
    await file.write(bytes('x'));
    const flags = Number(opened.mock.calls[0]?.[1]);
    const { O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
    expect(flags & O_CREAT).toBe(O_CREAT);
    expect(flags & O_EXCL).toBe(O_EXCL);
    expect(flags & O_NOFOLLOW).toBe(O_NOFOLLOW);
  });

  it.each([
    ['a file', (path: string) => writeFile(path, 'theirs')],
    ['a dangling link', (path: string) => symlink(inFolder('nowhere'), path)],
  ])('leaves %s that has its name already', async (_what, come) => {
    await come(file.path);
    expect(await codeOf(() => file.write(bytes('x')))).toBe('write-failed');
    await file.discard();
    expect(await inSaved()).toHaveLength(1);
    await expect(access(inFolder('nowhere'))).rejects.toThrow();
  });

  it('is not made where the check beforehand refuses, which is asked once', async () => {
    let asked = 0;
    const refused = newFile(() => {
      asked++;
      return Promise.reject(new Error('not any more'));
    });
    expect((await refusalOf(() => refused.write(bytes('x')))).cause).toEqual(new Error('not any more'));
    expect(await codeOf(() => refused.write(bytes('x')))).toBe('write-failed');
    expect([asked, await inSaved()]).toEqual([1, []]);
    await refused.discard();
  });
});

describe('finishing', () => {
  it('tells the modification time that the file has, in whole milliseconds', async () => {
    await file.write(bytes('new'));
    const time = await file.finish(true);
    expect(Number.isInteger(time)).toBe(true);
    expect(time).toBe(Math.floor((await stat(file.path)).mtimeMs));
  });

  it.each([
    [true, ['writev', 'fsync', 'fstat', 'close']],
    [false, ['writev', 'fstat', 'close']],
  ])('closes the file, once what was asked for is done (flush: %s)', async (flush, expected) => {
    const happened: string[] = [];
    for (const name of ['writev', 'fsync', 'fstat', 'close'] as const) {
      around(name, async (real) => {
        const result = await real();
        happened.push(name);
        return result;
      });
    }
    await file.write(bytes('x'));
    await file.finish(flush);
    await file.discard();
    expect(happened).toEqual(expected);
  });

  it.each(['fsync', 'fstat', 'close'] as const)('fails where %s does, and leaves nothing', async (name) => {
    await file.write(bytes('x'));
    const fault = Object.assign(new Error('EIO'), { code: 'EIO' });
    // The descriptor of a close that fails is closed all the same.
    around(name, async (real) => {
      if (name === 'close') await real();
      throw fault;
    });
    await expect(file.finish(true)).rejects.toBe(fault);
    jest.restoreAllMocks();
    await file.discard();
    expect(await inSaved()).toEqual([]);
  });

  it.each([
    ['lost some', (path: string) => truncate(path, 2)],
    ['got some from elsewhere', (path: string) => appendFile(path, 'more')],
  ])('fails where the file has %s of its bytes', async (_what, change) => {
    await file.write(bytes('newer'));
    await change(file.path);
    await expect(file.finish(true)).rejects.toThrow('of 5 bytes are in the file');
  });

  it('is the last that can be done with a file', async () => {
    await file.write(bytes('x'));
    await file.finish(false);
    expect(await codeOf(() => file.write(bytes('y')))).toBe('write-failed');
    await expect(file.read(Buffer.alloc(1), 0)).rejects.toThrow('closed');
    await expect(file.finish(false)).rejects.toThrow('closed');
    expect(await readFile(file.path, 'utf8')).toBe('x');
  });
});

describe('discarding', () => {
  it('before anything was written keeps anything from being written or read', async () => {
    await file.discard();
    expect(await codeOf(() => file.write(bytes('x')))).toBe('write-failed');
    await expect(file.read(Buffer.alloc(1), 0)).rejects.toThrow('closed');
    await expect(file.finish(false)).rejects.toThrow('closed');
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

  it('after it was written removes it, and twice is once', async () => {
    await file.write(bytes('x'));
    const closed = around('close', (real) => real());
    await Promise.all([file.discard(), file.discard()]);
    await file.discard();
    expect(await inSaved()).toEqual([]);
    expect(closed).toHaveBeenCalledTimes(1);
  });

  it('after it was finished removes it, and closes nothing twice', async () => {
    await file.write(bytes('x'));
    await file.finish(false);
    const closed = around('close', (real) => real());
    await file.discard();
    expect(await inSaved()).toEqual([]);
    expect(closed).not.toHaveBeenCalled();
  });

  it('leaves a file that has become the image', async () => {
    await file.write(bytes('x'));
    await file.finish(false);
    file.markPublished();
    await file.discard();
    await file.discard();
    expect(await readFile(file.path, 'utf8')).toBe('x');
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

  it('never fails where the file can neither be removed nor closed', async () => {
    await file.write(bytes('x'));
    around('unlink', () => Promise.reject(new Error('EIO')));
    around('close', async (real) => {
      await real();
      throw new Error('EIO');
    });
    await file.discard();
  });
});

test('a read that comes short is continued, up to the end of the file', async () => {
  await file.write(bytes('one two three'));
  const { read } = fsCalls;
  const short = (descriptor: number, into: Buffer, offset: number, length: number, position: number) =>
    read(descriptor, into, offset, Math.min(3, length), position);
  const calls = jest.spyOn(fsCalls, 'read').mockImplementation(short as unknown as typeof read);
  const buffer = Buffer.alloc(100);
  expect(await file.read(buffer, 4)).toBe(9);
  expect(buffer.toString('utf8', 0, 9)).toBe('two three');
  // The last one finds the end.
  expect(calls).toHaveBeenCalledTimes(4);
});

describe('a call that has the descriptor while the file is discarded', () => {
  const ways: ['writev' | 'read' | 'fsync', () => Promise<unknown>][] = [
    ['writev', () => file.write(bytes('more'))],
    ['read', () => file.read(Buffer.alloc(1), 0)],
    ['fsync', () => file.finish(true)],
  ];

  /** Says when the file has been removed, and notes when it is closed. */
  const watchDiscarding = (happened: string[], removed: Moment): void => {
    around('unlink', async (real) => {
      await real();
      removed.comes();
    });
    around('close', (real) => {
      happened.push('close');
      return real();
    });
  };

  it.each(ways)('%s finds it open: it is closed afterwards, and once', async (name, call) => {
    await file.write(bytes('image'));
    const happened: string[] = [];
    const [begun, removed, goesOn] = [moment(), moment(), moment()];
    const held = around(name, async (real) => {
      begun.comes();
      await goesOn.come;
      happened.push(`${name} begins`);
      const result = await real();
      happened.push(`${name} ends`);
      return result;
    });
    watchDiscarding(happened, removed);
    const calling = call();
    await begun.come;
    const discarding = file.discard();
    await removed.come;
    // The file has gone from its folder; nothing but the call keeps its descriptor open.
    await turn();
    expect(happened).toEqual([]);
    goesOn.comes();
    await Promise.all([calling, discarding]);
    expect(held).toHaveBeenCalledTimes(1);
    expect(happened).toEqual([`${name} begins`, `${name} ends`, 'close']);
  });

  it('finds it open for all that it still has to write', async () => {
    const happened: string[] = [];
    const [begun, removed, goesOn] = [moment(), moment(), moment()];
    around('writev', async (real, _descriptor, chunks) => {
      happened.push('writev');
      if (happened.length > 1) return real();
      begun.comes();
      await goesOn.come;
      return { bytesWritten: (chunks as Buffer[])[0]!.length };
    });
    watchDiscarding(happened, removed);
    const writing = file.write([Buffer.from('one'), Buffer.from('two')]);
    await begun.come;
    const discarding = file.discard();
    await removed.come;
    goesOn.comes();
    await Promise.all([writing, discarding]);
    expect(happened).toEqual(['writev', 'writev', 'close']);
    expect(file.length).toBe(6);
  });

  it('does not begin once the file is being discarded', async () => {
    await file.write(bytes('image'));
    const discarding = file.discard();
    const used = [around('writev', (real) => real()), around('read', (real) => real())];
    expect(await codeOf(() => file.write(bytes('more')))).toBe('write-failed');
    await expect(textFrom(0)).rejects.toThrow('closed');
    await discarding;
    for (const call of used) expect(call).not.toHaveBeenCalled();
  });
});

onLinux('descriptors', () => {
  it('are closed after every way that a file can go', async () => {
    const ways: ((one: DiskTempFile) => Promise<unknown>)[] = [
      (one) => one.discard(),
      (one) => one.write(bytes('x')),
      (one) => one.finish(true),
      (one) => one.read(Buffer.alloc(1), 0),
      async (one) => {
        await one.write(bytes('x'));
        await one.finish(true);
      },
      async (one) => {
        await one.write(bytes('x'));
        await truncate(one.path);
        await one.finish(false);
      },
      (one) => Promise.all([one.write(bytes('x')), one.discard()]),
      (one) => Promise.all([one.write(bytes('x')), one.finish(false), one.discard()]),
    ];
    for (const way of ways) {
      const one = newFile();
      await way(one).catch(() => undefined);
      await one.discard();
    }
    expect(await descriptorsBelow(inFolder())).toEqual([]);
  });
});

describe('a private file', () => {
  const MAX_AGE = 60_000;
  let spool: DiskTempFile;

  beforeEach(() => {
    jest.spyOn(os, 'tmpdir').mockReturnValue(inFolder('saved'));
    spool = createPrivateTempFile(new StaleFileSweeper(MAX_AGE));
  });
  afterEach(() => spool.discard());

  it('is in the temporary folder of the system, under a name of its own', async () => {
    const other = createPrivateTempFile(new StaleFileSweeper(MAX_AGE));
    expect(await inSaved()).toEqual([]);
    await spool.write(bytes('x'));
    await other.write(bytes('x'));
    const names = await inSaved();
    expect(names).toEqual(
      [spool.path, other.path].map((path) => path.slice(inFolder('saved/').length)).sort(),
    );
    for (const name of names) expect(name).toMatch(/^\.image-save-[0-9a-f]{32}\.tmp$/);
    await Promise.all([spool.discard(), other.discard()]);
    expect(await inSaved()).toEqual([]);
  });

  onLinux('by its mode', () => {
    it('can be read by nobody but its owner', async () => {
      await spool.write(bytes('x'));
      expect((await stat(spool.path)).mode & 0o777).toBe(0o600);
    });
  });

  it('is made once the folder has been swept of what killed processes left', async () => {
    const leave = async (name: string, seconds: number): Promise<void> => {
      await writeFile(inFolder('saved', name), '');
      await utimes(inFolder('saved', name), seconds, seconds);
    };
    const young = `.image-save-${'b'.repeat(32)}.tmp`;
    await leave(`.image-save-${'a'.repeat(32)}.tmp`, 0);
    await leave(young, Date.now() / 1000);
    await leave('theirs.tmp', 0);
    let before: string[] = [];
    around('open', (real) => {
      before = readdirSync(inFolder('saved')).sort();
      return real();
    });
    await spool.write(bytes('x'));
    expect(before).toEqual([young, 'theirs.tmp']);
  });

  it('is made all the same where the folder cannot be swept', async () => {
    around('lstat', () => Promise.reject(new Error('EIO')));
    await writeFile(inFolder('saved', temporaryName()), '');
    await spool.write(bytes('x'));
    expect(await readFile(spool.path, 'utf8')).toBe('x');
  });
});
