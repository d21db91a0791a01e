import {
  formatBytes,
  formatCount,
  formatDuration,
  formatRate,
  plural,
  printable,
  quote,
  summarize,
  Tally,
  type BatchEnd,
} from '../../../../lib/batch/cli/summary.js';
import type { SaveResult } from '../../../../lib/batch/types.js';

const result = (status: SaveResult['status'], more: Partial<SaveResult> = {}): SaveResult => ({
  ...{ url: '/x', name: 'x.jpg', status, attempts: 1, milliseconds: 1, at: 'now' },
  ...more,
});

const createEnd = (more: Partial<BatchEnd> = {}): BatchEnd => ({
  ...{ tally: new Tally(10), how: 'Finished', reason: undefined, log: '', ledger: undefined },
  ...{ args: ['batch', 'jobs.txt'] },
  ...more,
});

it.each(['Stopped', 'Gave up'] as const)('says how many jobs are left: %s', (how) => {
  const end = createEnd({ how, ledger: 'l' });
  end.tally.done = 4;
  expect(summarize(end)).toMatch(
    new RegExp(
      `^${how} [^]* left {5}6\n\nThe ledger l [^]*To go on:\n {2}npx express-image-save batch jobs.txt\n$`,
    ),
  );
});

it('lists failures by code, the most frequent first, and lets none steer the terminal', () => {
  const end = createEnd();
  const message = 'Write this and that, then try it again.\u001b[2J';
  for (const [code, name] of [
    ['a', '1'],
    ['b', '2'],
    ['b', '3'],
  ])
    end.tally.add(result('failed', { code: code!, name: name!, message }));
  const text = '    Write this and that, then try it again.\uFFFD[2J\n';
  expect(summarize(end)).toContain(
    `\n  2 × b\n    /x  →  2\n${text}\n  1 × a\n    /x  →  1\n${text}\nWithout a ledger`,
  );
});

it('shows the command as a shell takes it, without the values of headers', () => {
  const args = ['batch', 'a b.txt', '--header', 'Authorization: Bearer x', '--header=A: y'];
  expect(summarize(createEnd({ how: 'Stopped', ledger: 'l', args })).replaceAll('"', "'")).toContain(
    "npx express-image-save batch 'a b.txt' --header 'Authorization: …' '--header=A: …'",
  );
});

it('counts results, bytes and pixels, and what the list repeats', () => {
  const end = createEnd({ ledger: 'l', log: '4 taken' });
  for (const each of [
    result('done', { bytes: 3000, pixels: 2e6 }),
    result('done', { bytes: 4000 }),
    result('skipped'),
    result('skipped', { code: 'repeated' }),
  ])
    end.tally.add(each);
  expect(summarize(end).replace(/\d\.\d s/, '1 s')).toBe(
    `Finished after 1 s.
  done     2 (7.00 kB, 2 megapixels)
  skipped  2 (1 repeated in the list, others done before, says l)
  failed   0
  log      4 taken
`,
  );
});

it('takes the rate from the last seconds, without what is skipped', () => {
  const tally = new Tally(undefined);
  const begin = performance.now();
  for (let second = 1; second <= 100; second++) {
    tally.add(result('skipped'));
    if (second > 50) for (let i = 0; i < 4; i++) tally.add(result('done'));
    tally.rate(begin + 1000 * second);
  }
  expect(tally.rate(begin + 100_000)).toBeCloseTo(4, 0);
});

it('shows numbers with their units', () => {
  const show = (format: (value: number) => string, ...values: number[]): string =>
    values.map((value) => format(value)).join('; ');
  expect(show(formatCount, 0, 999, 1234567)).toBe('0; 999; 1,234,567');
  expect(show(formatBytes, 0, 999, 1000, 12_345, 999_600, 5e9)).toBe(
    '0 bytes; 999 bytes; 1.00 kB; 12.3 kB; 1.00 MB; 5.00 GB',
  );
  expect(show(formatRate, 0.123, 9.99, 12.34, 123.4, 1234)).toBe('0.12/s; 9.99/s; 12.3/s; 123/s; 1,234/s');
  expect(show(formatDuration, 0, 400, 9949, 10_000, 200_000, 7_500_000)).toBe(
    '0.0 s; 0.4 s; 9.9 s; 10 s; 3 min 20 s; 2 h 5 min',
  );
  expect([plural(1, 'job'), plural(1000, 'job')]).toEqual(['1 job', '1,000 jobs']);
});

it('quotes what a shell would change, on Windows as cmd takes it', () => {
  expect(['--a=b', 'x.txt', '{p}.jpg', "it's", ''].map((each) => quote(each, 'linux'))).toEqual([
    ...['--a=b', 'x.txt', "'{p}.jpg'", String.raw`'it'\''s'`, "''"],
  ]);
  expect(quote('/a?b=1&c=$x$ "y"', 'win32')).toBe(String.raw`"/a?b=1&c=$x$ \"y\""`);
});

it('shows nothing that steers a terminal', () => {
  expect(printable('schön 日本\u001b[2Jb\r\n\u009b\u202ec')).toBe(
    'schön 日本\uFFFD[2Jb\uFFFD\uFFFD\uFFFD\uFFFDc',
  );
});
