// Few flushes at once, and one folder flush for all saves that are published meanwhile.
import { setImmediate } from 'node:timers/promises';
import { flushFile, flushFolder } from '../../../lib/temp-files/flush.js';
import { fsCalls } from '../../../lib/temp-files/fs.js';

/** A flush in progress. */
interface Flush {
  readonly fd: number;
  end(error?: Error): void;
}

const { fsync, fstat } = fsCalls;
let begun: Flush[];
let mostAtOnce: number;

beforeEach(() => {
  begun = [];
  mostAtOnce = 0;
  // The fds 10 to 19 are of one folder, 20 to 29 of another.
  const identify = (fd: number): Promise<object> => Promise.resolve({ dev: 1n, ino: BigInt(fd) / 10n });
  Object.assign(fsCalls, { fstat: identify });
  fsCalls.fsync = (fd: number) =>
    new Promise<void>((resolve, reject) => {
      const flush: Flush = {
        fd,
        end(error) {
          begun.splice(begun.indexOf(flush), 1);
          if (error === undefined) resolve();
          else reject(error);
        },
      };
      begun.push(flush);
      mostAtOnce = Math.max(mostAtOnce, begun.length);
    });
});
afterEach(() => {
  Object.assign(fsCalls, { fsync, fstat });
});

/** Ends all started flushes one by one and returns their fds in order. */
async function endAll(): Promise<number[]> {
  const fds: number[] = [];
  for (;;) {
    await setImmediate();
    if (begun[0] === undefined) return fds;
    fds.push(begun[0].fd);
    begun[0].end();
  }
}

it('flushes three files at once, which leaves one of Node’s four threads, and the others in order', async () => {
  const all = Promise.all([1, 2, 3, 4, 5, 6].map((fd) => flushFile(fd, '')));
  expect(await endAll()).toEqual([1, 2, 3, 4, 5, 6]);
  await all;
  expect(mostAtOnce).toBe(3);
});

it('goes on after a flush that fails, and reports it to its caller alone', async () => {
  const results = Promise.allSettled([1, 2, 3, 4].map((fd) => flushFile(fd, '')));
  begun[0]!.end(new Error('EIO'));
  await endAll();
  const statuses = (await results).map(({ status }) => status);
  expect(statuses.join()).toBe('rejected,fulfilled,fulfilled,fulfilled');
});

it('lets saves that are published while a folder is flushed share the next flush', async () => {
  const first = flushFolder(11, '/a');
  const later = [2, 3, 4].map((fd) => flushFolder(10 + fd, '/a'));
  await setImmediate();
  expect(begun.map(({ fd }) => fd)).toEqual([11]);
  begun[0]!.end();
  await first;
  await setImmediate();
  expect(begun.map(({ fd }) => fd)).toEqual([12]);
  const last = flushFolder(15, '/a');
  await setImmediate();
  begun[0]!.end();
  await Promise.all(later);
  expect(await endAll()).toEqual([15]);
  await last;
});

it('flushes each folder separately, also at one path, and a folder again after its last flush', async () => {
  const both = [flushFolder(11, '/a'), flushFolder(21, '/a')];
  expect(await endAll()).toEqual([11, 21]);
  await Promise.all(both);
  const again = flushFolder(13, '/a');
  expect(await endAll()).toEqual([13]);
  await again;
});

it('reports a failed flush to every save that shares it, and flushes again for the next', async () => {
  const first = flushFolder(11, '/a');
  const shared = Promise.allSettled([flushFolder(12, '/a'), flushFolder(13, '/a')]);
  await setImmediate();
  begun[0]!.end(new Error('EIO'));
  await expect(first).rejects.toThrow('EIO');
  await setImmediate();
  begun[0]!.end(new Error('EIO'));
  expect((await shared).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  const next = flushFolder(14, '/a');
  expect(await endAll()).toEqual([14]);
  await next;
});
