// The temporary file: it contains every byte, and discard removes it completely.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import {
  access,
  mkdir,
  readdir,
  readFile,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
// The default export is the module itself, so that its functions can be spied on.
import os from 'node:os';
import { buffer } from 'node:stream/consumers';
import { setImmediate } from 'node:timers/promises';
import { fsCalls } from '../../../lib/temp-files/fs.js';
import { createPrivateTempFile, DiskTempFile } from '../../../lib/temp-files/temp-file.js';
import { StaleFileSweeper, temporaryName } from '../../../lib/temp-files/stale-files.js';
import { createDeferred, type Deferred } from '../../support/deferred.js';
import { interceptFsCall } from '../../support/intercept-fs.js';
import { canLink, descriptorsBelow, testOnLinux, useTempDir } from '../../support/temp-dir.js';
import { codeOf, refusalOf } from '../../support/refusal.js';

const inFolder = useTempDir();

const { read: fsRead } = fsCalls;
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
  new DiskTempFile(inFolder('saved', temporaryName(60_000)), 0o666, check);
const bytes = (text: string): Buffer[] => [Buffer.from(text)];
const inSaved = (): Promise<string[]> => readdir(inFolder('saved'));
const textFrom = async (position: number, of = file): Promise<string> => {
  const buffer = Buffer.alloc(100);
  return buffer.toString('utf8', 0, await of.read(buffer, position));
};

const danglingLink: [string, (path: string) => Promise<void>] = [
  'a dangling link',
  (path) => symlink(inFolder('nowhere'), path),
];

describe('a temporary file', () => {
  it('contains all chunks in order, and counts their bytes', async () => {
    await file.write(bytes('one '));
    await file.write([Buffer.from('two '), Buffer.alloc(0), Buffer.from('three ')]);
    await file.write([]);
    await file.write([Buffer.alloc(0)]);
    await file.write([new Uint8Array(Buffer.from('four'))]);
    expect(file.length).toBe('one two three four'.length);
    expect(await readFile(file.path, 'utf8')).toBe('one two three four');
  });

  it('can be read from any position between writes', async () => {
    await file.write(bytes('one '));
    expect(await textFrom(0)).toBe('one ');
    await file.write(bytes('two three four'));
    expect(await textFrom(4)).toBe('two three four');
    expect(await textFrom(14)).toBe('four');
    expect(await textFrom(18)).toBe('');
    const short = Buffer.alloc(3);
    expect([await file.read(short, 4), short.toString()]).toEqual([3, 'two']);
  });

  it('takes more chunks than one system call', async () => {
    const chunks = Array.from({ length: 5000 }, (_, at) => Buffer.from(`${at};`));
    await file.write(chunks);
    expect(await readFile(file.path, 'utf8')).toBe(chunks.join(''));
  });

  it('continues a short write, within a chunk or at its end', async () => {
    for (const taken of [[1], [2], [3], [5], [1, 1, 1]]) {
      const one = newFile();
      const limits = [...taken];
      const spy = interceptFsCall('writev', (real, descriptor, chunks, position) => {
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

  it('rejects if a write makes no progress', async () => {
    interceptFsCall('writev', () => Promise.resolve({ bytesWritten: 0 }));
    expect(await codeOf(() => file.write(bytes('x')))).toBe('write-failed');
  });

  it.each([['a file', (path: string) => writeFile(path, 'theirs')], ...(canLink ? [danglingLink] : [])])(
    'leaves %s that already has its name',
    async (_what, come) => {
      await come(file.path);
      expect(await codeOf(() => file.write(bytes('x')))).toBe('write-failed');
      await file.discard();
      expect(await inSaved()).toHaveLength(1);
      await expect(access(inFolder('nowhere'))).rejects.toThrow();
    },
  );

  it('is not created if beforeCreate rejects, which is called once', async () => {
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

describe('reading for a store', () => {
  const image = randomBytes(700_000);

  it('reads no more than the consumer takes, but for two chunks', async () => {
    await file.write(Array.from({ length: 10 }, () => image));
    const reads = interceptFsCall('read', (real) => real());
    const stream = file.stream();
    await once(stream, 'readable');
    stream.read();
    // All reads in progress have ended by now.
    for (let turns = 0; turns < 100; turns++) await setImmediate();
    expect(reads.mock.calls.length).toBeLessThanOrEqual(4);
    stream.destroy();
  });

  it.each([
    ['a failed read', () => interceptFsCall('read', () => Promise.reject(new Error('EIO')))],
    ['a file that was cut', () => truncate(file.path, 5)],
    ['a discarded file', () => file.discard()],
  ])('ends with a SaveError after %s', async (_what, fail) => {
    await file.write([image]);
    await fail();
    expect(await codeOf(() => buffer(file.stream()))).toBe('write-failed');
    expect(await codeOf(() => file.buffer())).toBe('write-failed');
  });

  it('does not throw without an error listener', async () => {
    await file.write([image]);
    await file.discard();
    const stream = file.stream();
    const closed = new Promise((resolve) => stream.once('close', resolve));
    stream.resume();
    await closed;
    expect(stream.errored).toMatchObject({ code: 'write-failed' });
  });
});

describe('finishing', () => {
  it.each(['fsync', 'fstat', 'close'] as const)('rejects if %s fails, and leaves nothing', async (name) => {
    await file.write(bytes('x'));
    const fault = Object.assign(new Error('EIO'), { code: 'EIO' });
    // A close that fails has closed the fd all the same.
    interceptFsCall(name, async (real) => {
      if (name === 'close') await real();
      throw fault;
    });
    await expect(file.finish(true)).rejects.toBe(fault);
    jest.restoreAllMocks();
    await file.discard();
    expect(await inSaved()).toEqual([]);
  });

  it.each([
    ['finished', () => file.finish(false)],
    ['discarded', () => file.discard()],
  ])('refuses every call once it is %s', async (_how, end) => {
    await end();
    expect(await codeOf(() => file.write(bytes('y')))).toBe('write-failed');
    await expect(file.read(Buffer.alloc(1), 0)).rejects.toThrow('closed');
    await expect(file.finish(false)).rejects.toThrow('closed');
  });
});

describe('discarding', () => {
  it('removes the file after a write, and closes it once for several calls', async () => {
    await file.write(bytes('x'));
    const closed = interceptFsCall('close', (real) => real());
    await Promise.all([file.discard(), file.discard()]);
    await file.discard();
    expect(await inSaved()).toEqual([]);
    expect(closed).toHaveBeenCalledTimes(1);
  });

  it('removes a file that closing it has brought back, as drivers of object stores do', async () => {
    await file.write(bytes('x'));
    interceptFsCall('close', (real) => real().then(() => writeFile(file.path, 'x')));
    await file.discard();
    expect(await inSaved()).toEqual([]);
  });

  it('resolves if the file can be neither removed nor closed', async () => {
    await file.write(bytes('x'));
    interceptFsCall('unlink', () => Promise.reject(new Error('EIO')));
    interceptFsCall('close', async (real) => {
      await real();
      throw new Error('EIO');
    });
    await file.discard();
  });
});

test('continues a short read up to the end of the file', async () => {
  await file.write(bytes('one two three'));
  const calls = interceptFsCall('read', (_real, fd, into, offset, length, position) =>
    // The call that is replaced, with fewer bytes.
    fsRead(fd as number, into as Buffer, offset as number, Math.min(3, length as number), position as number),
  );
  expect(await textFrom(4)).toBe('two three');
  // The last read finds the end of the file.
  expect(calls).toHaveBeenCalledTimes(4);
});

const ways: ['writev' | 'read' | 'fsync', () => Promise<unknown>][] = [
  ['writev', () => file.write(bytes('more'))],
  ['read', () => file.read(Buffer.alloc(1), 0)],
  ['fsync', () => file.finish(true)],
];

/** Resolves when the file was removed, and records when it is closed. */
const watchDiscarding = (happened: string[], removed: Deferred): void => {
  interceptFsCall('unlink', async (real) => {
    await real();
    removed.resolve();
  });
  interceptFsCall('close', (real) => {
    happened.push('close');
    return real();
  });
};

it.each(ways)(
  'a call that uses the fd while the file is discarded %s finds the file open, which is closed once afterwards',
  async (name, call) => {
    await file.write(bytes('image'));
    const happened: string[] = [];
    const [begun, removed, goesOn] = [createDeferred(), createDeferred(), createDeferred()];
    const held = interceptFsCall(name, async (real) => {
      begun.resolve();
      await goesOn.promise;
      happened.push(`${name} begins`);
      const result = await real();
      happened.push(`${name} ends`);
      return result;
    });
    watchDiscarding(happened, removed);
    const calling = call();
    await begun.promise;
    const discarding = file.discard();
    await removed.promise;
    // The file was removed from its folder; only the running call keeps the fd open.
    await setImmediate();
    expect(happened).toEqual([]);
    goesOn.resolve();
    await Promise.all([calling, discarding]);
    expect(held).toHaveBeenCalledTimes(1);
    expect(happened).toEqual([`${name} begins`, `${name} ends`, 'close']);
  },
);

it('removes its file and closes its fd, however it ends', async () => {
  const ways: ((one: DiskTempFile) => Promise<unknown>)[] = [
    (one) => one.discard(),
    (one) => one.write(bytes('x')),
    (one) => one.finish(true),
    (one) => one.read(Buffer.alloc(1), 0),
    (one) => one.write(bytes('x')).then(() => one.finish(true)),
    async (one) => {
      await one.write(bytes('x'));
      await truncate(one.path);
      await one.finish(false);
    },
    async (one) => {
      await one.write(bytes('x'));
      await Promise.all([one.write([Buffer.alloc(8 * 1024 * 1024)]), one.discard()]);
    },
    (one) => Promise.all([one.write(bytes('x')), one.discard()]),
    (one) => Promise.all([one.write(bytes('x')), one.finish(false), one.discard()]),
  ];
  for (const way of ways) {
    const one = newFile();
    await way(one).catch(() => undefined);
    await one.discard();
  }
  expect(await inSaved()).toEqual([]);
  if (process.platform === 'linux') expect(await descriptorsBelow(inFolder())).toEqual([]);
});

describe('a private file', () => {
  const LIFETIME = 60_000;
  let privateFile: DiskTempFile;

  beforeEach(() => {
    jest.spyOn(os, 'tmpdir').mockReturnValue(inFolder('saved'));
    privateFile = createPrivateTempFile(new StaleFileSweeper(LIFETIME));
  });
  afterEach(() => privateFile.discard());

  it('is in the temporary folder of the system, under its own name', async () => {
    const other = createPrivateTempFile(new StaleFileSweeper(LIFETIME));
    expect(await inSaved()).toEqual([]);
    await privateFile.write(bytes('x'));
    await other.write(bytes('x'));
    const names = await inSaved();
    expect(names).toEqual(
      [privateFile.path, other.path].map((path) => path.slice(inFolder('saved/').length)).sort(),
    );
    await Promise.all([privateFile.discard(), other.discard()]);
    expect(await inSaved()).toEqual([]);
  });

  testOnLinux('has the mode 0600', async () => {
    await privateFile.write(bytes('x'));
    expect((await stat(privateFile.path)).mode & 0o777).toBe(0o600);
  });

  it.each(['ENOENT', 'ENOTDIR', 'EACCES', 'EROFS', 'ENAMETOOLONG', 'ERR_ACCESS_DENIED'])(
    'is refused with no-temp-folder, which blames no name, if the folder fails with %s',
    async (code) => {
      interceptFsCall('open', () => Promise.reject(Object.assign(new Error(code), { code })));
      expect(await refusalOf(() => privateFile.write(bytes('x')))).toMatchObject({
        code: 'no-temp-folder',
        cause: { code },
      });
    },
  );

  it('keeps the code of a full disk', async () => {
    interceptFsCall('writev', () => Promise.reject(Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' })));
    expect(await codeOf(() => privateFile.write(bytes('x')))).toBe('disk-full');
  });

  it('is created after the folder was swept', async () => {
    const stale = inFolder('saved', temporaryName(LIFETIME));
    await writeFile(stale, '');
    await utimes(stale, 0, 0);
    await writeFile(inFolder('saved/theirs.tmp'), '');
    let before: string[] = [];
    interceptFsCall('open', (real) => {
      before = readdirSync(inFolder('saved'));
      return real();
    });
    await privateFile.write(bytes('x'));
    expect(before).toEqual(['theirs.tmp']);
  });
});
