import { PassThrough } from 'node:stream';
import {
  describe as describeTally,
  drawLine,
  showBar,
  showLines,
  showNothing,
} from '../../../../lib/batch/cli/progress.js';
import { Tally } from '../../../../lib/batch/cli/tally.js';
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

it.each([79, 119, 40, 10])('draws a line that fits into %i characters', (columns) => {
  expect(drawLine(createTally(1_000_000, 450_000), columns).length).toBeLessThanOrEqual(columns);
});

it('draws a bar that is as long as the part that has ended', () => {
  const [, bar = ''] = /^\[(=* *)\] /.exec(drawLine(createTally(1000, 500), 119)) ?? [];
  expect([bar.length, bar.trimEnd().length]).toEqual([40, 20]);
  expect(drawLine(createTally(1000, 1000), 119)).toMatch(/^\[=+\] 100 %/);
});

it('draws no bar where the total is not known or there is no room', () => {
  expect(drawLine(createTally(undefined, 500), 119)).not.toContain('[');
  expect(drawLine(createTally(1000, 500), 50)).not.toContain('[');
});

it('writes a line every ten seconds where there is no terminal', () => {
  jest.useFakeTimers({ doNotFake: ['performance'] });
  const output = { write: jest.fn() };
  const progress = showLines(output, createTally(10, 5));
  jest.advanceTimersByTime(20_000);
  progress.print('a line');
  progress.stop();
  jest.advanceTimersByTime(20_000);
  jest.useRealTimers();
  const written = output.write.mock.calls.map(([text]) => text as string);
  expect(written).toHaveLength(3);
  expect(written.slice(0, 2).every((text) => /^50 %.*\n$/.test(text))).toBe(true);
  expect(written[2]).toBe('a line\n');
});

it('writes only what is printed where it is quiet', () => {
  const output = { write: jest.fn() };
  const progress = showNothing(output);
  progress.print('x');
  progress.stop();
  expect(output.write.mock.calls).toEqual([['x\n']]);
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
