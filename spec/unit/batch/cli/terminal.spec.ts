import { PassThrough, Writable } from 'node:stream';
import { Tally } from '../../../../lib/batch/cli/summary.js';
import {
  describe as describeTally,
  drawLine,
  showBar,
  showLines,
  write,
  writeAll,
} from '../../../../lib/batch/cli/terminal.js';
import { readText } from '../../../support/read-text.js';

function createTally(total: number | undefined, done: number): Tally {
  const tally = new Tally(total);
  tally.done = done;
  return tally;
}

it('says how far the batch is', () => {
  expect(describeTally(createTally(1000, 450))).toMatch(
    /^45 %, 450 of 1,000, [\d.,]+\/s, 0 failed(, .* left)?$/,
  );
  expect(describeTally(createTally(undefined, 450))).toMatch(/^450 ended, [\d.,]+\/s, 0 failed$/);
});

it('draws a bar that is as long as the part that has ended, where there is room and a total', () => {
  const [, bar = ''] = /^\[(=* *)\] /.exec(drawLine(createTally(1000, 500), 119)) ?? [];
  expect([bar.length, bar.trimEnd().length]).toEqual([40, 20]);
  expect(drawLine(createTally(1000, 1000), 119)).toMatch(/^\[=+\] 100 %/);
  expect(drawLine(createTally(undefined, 500), 119)).not.toContain('[');
  expect(drawLine(createTally(1000, 500), 50)).not.toContain('[');
  for (const columns of [79, 119, 40, 10])
    expect(drawLine(createTally(1_000_000, 450_000), columns).length).toBeLessThanOrEqual(columns);
});

it('writes a line every ten seconds where there is no terminal, and none where it is quiet', () => {
  jest.useFakeTimers({ doNotFake: ['performance'] });
  const output = new PassThrough();
  const [progress, quiet] = [showLines(output, createTally(10, 5)), showLines(output)];
  jest.advanceTimersByTime(20_000);
  progress.print('a line');
  progress.stop();
  quiet.stop();
  jest.advanceTimersByTime(20_000);
  jest.useRealTimers();
  expect(readText(output)).toMatch(/^(?:50 %.*\n){2}a line\n$/);
});

it('prints above the bar, shows the cursor again and leaves nothing of the bar', () => {
  const output = Object.assign(new PassThrough(), { isTTY: true, columns: 80 });
  const progress = showBar(output, createTally(10, 5));
  progress.print('a line that stays');
  progress.stop();
  const text = readText(output);
  expect(text).toMatch(/a line that stays\n[^]*\[=+ +\] 50 %/);
  expect(text.lastIndexOf('\u001b[?25h')).toBeGreaterThan(text.lastIndexOf('\u001b[?25l'));
  expect(text.slice(text.lastIndexOf('50 %'))).toContain('\u001b[0J');
});

it('waits until its reader has room', async () => {
  let read = (): void => undefined;
  const stream = new Writable({
    write: (_chunk, _encoding, done) => {
      read = done;
    },
  });
  let isWritten = false;
  const writing = write(stream, 'abcdef').then(() => (isWritten = true));
  await new Promise(setImmediate);
  expect(isWritten).toBe(false);
  read();
  await writing;
});

it.each(['EPIPE', 'ENOSPC'])(
  'writes nothing more after %s, which is an error where no reader has left',
  async (code) => {
    const chunks: string[] = [];
    const stream = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        chunks.push(chunk.toString());
        done(Object.assign(new Error('no'), { code }));
      },
    }).on('error', () => undefined);
    const writing = writeAll(stream, ['a', 'b']);
    if (code === 'EPIPE') await writing;
    else await expect(writing).rejects.toMatchObject({ code });
    expect(chunks).toEqual(['a']);
  },
);
