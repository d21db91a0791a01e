import { Tally } from '../../../../lib/batch/cli/tally.js';
import type { SaveResult } from '../../../../lib/batch/types.js';

const result = (status: SaveResult['status'], more: Partial<SaveResult> = {}): SaveResult => ({
  ...{ url: '/x', name: 'x', status, attempts: 1, milliseconds: 1, at: 'now' },
  ...more,
});

it('counts results, bytes and pixels', () => {
  const tally = new Tally(undefined);
  for (const each of [
    result('done', { bytes: 3, pixels: 5 }),
    result('done', { bytes: 4 }),
    result('skipped'),
  ])
    tally.add(each);
  tally.add(result('failed', { code: 'a' }));
  const { done, skipped, failed, count, bytes, pixels } = tally;
  expect({ done, skipped, failed, count, bytes, pixels }).toEqual({
    ...{ done: 2, skipped: 1, failed: 1, count: 4, bytes: 7, pixels: 5 },
  });
});

it('keeps the first failure of each code, the most frequent code first', () => {
  const tally = new Tally(undefined);
  for (const [code, name] of [
    ['a', '1'],
    ['b', '2'],
    ['b', '3'],
  ])
    tally.add(result('failed', { code: code!, name: name! }));
  expect(tally.failures.map(([code, { count, example }]) => [code, count, example.name])).toEqual([
    ['b', 2, '2'],
    ['a', 1, '1'],
  ]);
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
