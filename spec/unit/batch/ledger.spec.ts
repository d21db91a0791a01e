import { spawnSync } from 'node:child_process';
import { appendFileSync, mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { lockLedger } from '../../../lib/batch/ledger-lock.js';
import { openLedger, readDone } from '../../../lib/batch/ledger.js';
import { UsageError, type SaveResult } from '../../../lib/batch/types.js';
import { list, testOnLinux, useTempDir } from '../../support/temp-dir.js';

const dir = useTempDir();

const result = (name: string, status: SaveResult['status'] = 'done'): SaveResult => ({
  ...{ url: '/x?wid=1', name, status, attempts: 1, milliseconds: 2, bytes: 3, pixels: 4, at: 'now' },
});

async function write(path: string, ...results: SaveResult[]): Promise<void> {
  const ledger = await openLedger(path);
  await Promise.all(results.map((each) => ledger.append(each)));
  await ledger.close();
}

const isDone = async (path: string, name: string): Promise<boolean> => {
  const ledger = await openLedger(path);
  await ledger.close();
  return ledger.done.has('/x?wid=1', name);
};

it('knows what is done, and not what failed', async () => {
  await write(dir('l'), result('a'), result('b', 'failed'));
  expect([await isDone(dir('l'), 'a'), await isDone(dir('l'), 'b'), await isDone(dir('l'), 'c')]).toEqual([
    ...[true, false, false],
  ]);
});

it('reads the longest lines that it writes', async () => {
  // In JSON, the character takes six.
  const long = '\u0001'.repeat(65_535);
  const longest = { ...result(long), url: '/', status: 'failed' as const, code: long };
  await write(dir('l'), longest, { ...result('a'), url: `/${'x'.repeat(65_534)}` }, result('b'));
  expect(await isDone(dir('l'), 'b')).toBe(true);
});

it.each([1, 7, 8, 30, 100])('removes a last line of which %i bytes were written', async (bytes) => {
  await write(dir('l'), result('a'), result('ü'));
  const whole = readFileSync(dir('l'));
  const end = whole.indexOf('\n') + 1;
  writeFileSync(dir('l'), whole.subarray(0, end + bytes));
  expect([await isDone(dir('l'), 'a'), await isDone(dir('l'), 'ü')]).toEqual([true, false]);
  expect(readFileSync(dir('l'))).toEqual(whole.subarray(0, end));
  await write(dir('l'), result('ü'));
  expect(readFileSync(dir('l'))).toEqual(whole);
});

it.each(['', '{"url":"/x', '{"url":"/x?wid=1","name":"b","status":"done"}'])(
  'removes the zeros that a power cut has left behind %j',
  async (rest) => {
    await write(dir('l'), result('a'));
    appendFileSync(dir('l'), Buffer.concat([Buffer.from(rest), Buffer.alloc(100_000)]));
    expect([await isDone(dir('l'), 'a'), await isDone(dir('l'), 'b')]).toEqual([true, rest.endsWith('}')]);
    expect(readFileSync(dir('l')).includes(0)).toBe(false);
  },
);

describe('a lock', () => {
  const refused = /Another batch is using the ledger .* remove .*l\.lock/;

  it('keeps a second batch out, until the first has closed its ledger', async () => {
    const ledger = await openLedger(dir('l'));
    await expect(openLedger(dir('l'))).rejects.toThrow(refused);
    expect((await readDone(dir('l'))).has('/x?wid=1', 'a')).toBe(false);
    await ledger.close();
    await (await openLedger(dir('l'))).close();
    expect(list(dir())).toEqual(['l']);
  });

  it('of a process that is running keeps others out, and one of a process that has ended does not', async () => {
    const path = dir('l.lock');
    const first = await openLedger(dir('l'));
    const own = JSON.parse(readFileSync(path, 'utf8')) as { started: string };
    await first.close();
    writeFileSync(path, JSON.stringify(own));
    await expect(openLedger(dir('l'))).rejects.toThrow(refused);
    const { pid } = spawnSync(process.execPath, ['-e', '']);
    // The last one is what a power cut leaves.
    const leftOver = [JSON.stringify({ ...own, pid }), ''];
    // Another process has got the same number since.
    if (process.platform === 'linux') leftOver.push(JSON.stringify({ ...own, started: `${own.started}0` }));
    for (const lock of leftOver) {
      writeFileSync(path, lock);
      await (await openLedger(dir('l'))).close();
      expect(list(dir())).toEqual(['l']);
    }
  });

  it('of another machine keeps others out while it is refreshed', async () => {
    const path = dir('l.lock');
    writeFileSync(path, JSON.stringify({ host: 'another', pid: process.pid, started: '' }));
    let seconds = 0;
    const timer = setInterval(() => {
      seconds += 1;
      utimesSync(path, seconds, seconds);
    }, 10);
    await expect(lockLedger(dir('l'), 300)).rejects.toThrow(refused);
    clearInterval(timer);
    await (
      await lockLedger(dir('l'), 10)
    )();
    expect(list(dir())).toEqual([]);
    // And no longer than it is there.
    writeFileSync(path, JSON.stringify({ host: 'another', pid: process.pid, started: '' }));
    setTimeout(rmSync, 50, path, { force: true });
    await (
      await lockLedger(dir('l'), 100)
    )();
  });
});

it.each([1, 70_000])('ends a last line of which only the end is missing: %i', async (length) => {
  await write(dir('l'), { ...result('a'), at: 'x'.repeat(length) });
  const whole = readFileSync(dir('l'));
  writeFileSync(dir('l'), whole.subarray(0, -1));
  expect(await isDone(dir('l'), 'a')).toBe(true);
  expect(readFileSync(dir('l'))).toEqual(whole);
});

it('finds the end of the last line in a file of many blocks', async () => {
  const long = { ...result('a'), url: `/${'x'.repeat(50_000)}` };
  await write(dir('l'), long, long, long, long);
  const whole = readFileSync(dir('l'));
  appendFileSync(dir('l'), `{"url":"/${'y'.repeat(150_000)}`);
  await (await openLedger(dir('l'))).close();
  expect(readFileSync(dir('l')).equals(whole)).toBe(true);
});

it.each([
  '/is/image/shoe shoe.jpg\n',
  '/is/image/shoe shoe.jpg',
  '{"name":"a"}\n',
  '\u0089PNG\r\n',
  '{"url":1}\n',
  '{"url":"/is/image/shoe","name":"shoe.jpg"}',
  'II*\0 a picture\n\0\0\0',
  '/is/image/shoe shoe.jpg\n{"url":"/is',
])('does not touch a file that is no ledger: %j', async (text) => {
  writeFileSync(dir('jobs.txt'), text);
  await expect(openLedger(dir('jobs.txt'))).rejects.toThrow(/is no ledger.*Name another file/);
  expect(readFileSync(dir('jobs.txt'), 'utf8')).toBe(text);
});

it('refuses a ledger in a folder that does not exist, and a folder', async () => {
  mkdirSync(dir('folder'));
  await expect(openLedger(dir('no', 'l'))).rejects.toThrow(/in a folder that does not exist. Make it/);
  await expect(openLedger(dir('folder'))).rejects.toThrow(/is (a folder|not a file)/);
  await expect(readDone(dir('folder'))).rejects.toThrow(UsageError);
});

testOnLinux('refuses a device', async () => {
  await expect(openLedger('/dev/full')).rejects.toThrow(/is not a file/);
});

it('reads a ledger without changing it, also one that does not exist or was cut', async () => {
  const isDoneIn = async (name: string): Promise<boolean> => (await readDone(dir(name))).has('/x?wid=1', 'a');
  expect(await isDoneIn('none')).toBe(false);
  await write(dir('l'), result('a'));
  appendFileSync(dir('l'), '{"url":"/x');
  const before = readFileSync(dir('l'), 'utf8');
  expect(await isDoneIn('l')).toBe(true);
  expect([list(dir()), readFileSync(dir('l'), 'utf8')]).toEqual([['l'], before]);
});
