// Few flushes at once, and one folder flush for all saves that are published meanwhile.
import { setImmediate } from 'node:timers/promises';
import { flushFile, flushFolder } from '../../../lib/temp-files/flush.js';
import { fsCalls } from '../../../lib/temp-files/fs.js';

/** A flush in progress. */
interface Flush {
  readonly fd: number;
  end(error?: Error): void;
}

const actual = fsCalls.fsync;
let begun: Flush[];
let mostAtOnce: number;

beforeEach(() => {
  begun = [];
  mostAtOnce = 0;
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
  fsCalls.fsync = actual;
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
  const all = Promise.all([1, 2, 3, 4, 5, 6].map((fd) => flushFile(fd)));
  expect(await endAll()).toEqual([1, 2, 3, 4, 5, 6]);
  await all;
  expect(mostAtOnce).toBe(3);
});

it('goes on after a flush that fails, and reports it to its caller alone', async () => {
  const results = Promise.allSettled([1, 2, 3, 4].map((fd) => flushFile(fd)));
  begun[0]!.end(new Error('EIO'));
  await endAll();
  expect((await results).map(({ status }) => status)).toEqual([
    'rejected',
    'fulfilled',
    'fulfilled',
    'fulfilled',
  ]);
  const again = flushFile(5);
  expect(await endAll()).toEqual([5]);
  await again;
});

it('lets saves that are published while a folder is flushed share the next flush', async () => {
  const first = flushFolder('/a', 1);
  const later = [2, 3, 4].map((fd) => flushFolder('/a', fd));
  await setImmediate();
  expect(begun.map(({ fd }) => fd)).toEqual([1]);
  begun[0]!.end();
  await first;
  await setImmediate();
  expect(begun.map(({ fd }) => fd)).toEqual([2]);
  const last = flushFolder('/a', 5);
  begun[0]!.end();
  await Promise.all(later);
  expect(await endAll()).toEqual([5]);
  await last;
});

it('flushes each folder separately, and a folder again after its last flush', async () => {
  const both = [flushFolder('/a', 1), flushFolder('/b', 2)];
  expect(await endAll()).toEqual([1, 2]);
  await Promise.all(both);
  const again = flushFolder('/a', 3);
  expect(await endAll()).toEqual([3]);
  await again;
});

it('reports a failed flush to every save that shares it, and flushes again for the next', async () => {
  const first = flushFolder('/a', 1);
  const shared = Promise.allSettled([flushFolder('/a', 2), flushFolder('/a', 3)]);
  begun[0]!.end(new Error('EIO'));
  await expect(first).rejects.toThrow('EIO');
  await setImmediate();
  begun[0]!.end(new Error('EIO'));
  expect((await shared).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  const next = flushFolder('/a', 4);
  expect(await endAll()).toEqual([4]);
  await next;
});
