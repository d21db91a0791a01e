import { summarize, Tally, type BatchEnd } from '../../../../lib/batch/cli/summary.js';
import type { SaveResult } from '../../../../lib/batch/types.js';

const result = (status: SaveResult['status'], more: Partial<SaveResult> = {}): SaveResult => ({
  ...{ url: '/x', name: 'x.jpg', status, attempts: 1, milliseconds: 1, at: 'now' },
  ...more,
});

const createEnd = (more: Partial<BatchEnd> = {}): BatchEnd => ({
  ...{ tally: new Tally(10), how: 'finished', reason: undefined, log: '', ledger: undefined },
  ...{ args: ['batch', 'jobs.txt'] },
  ...more,
});

it.each([
  ['stopped', 'Stopped'],
  ['gave up', 'Gave up'],
] as const)('says how many jobs are left when it has %s', (how, heading) => {
  const end = createEnd({ how, ledger: 'l' });
  end.tally.done = 4;
  expect(summarize(end)).toMatch(
    new RegExp(
      `^${heading} [^]* left {5}6\n\nThe ledger l [^]*To go on:\n {2}npx express-image-save batch jobs.txt\n$`,
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
  expect(summarize(createEnd({ how: 'stopped', ledger: 'l', args })).replaceAll('"', "'")).toContain(
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
