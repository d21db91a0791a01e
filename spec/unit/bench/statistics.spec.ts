// The benchmark's statistics, checked with numbers whose results are known.
import { runRounds } from '../../../bench/comparison.js';
import { estimate, median, percentile, shuffle, speedRatio, type Sample } from '../../../bench/statistics.js';

const samples = (...times: number[]): Sample[] => times.map((time) => ({ time, cpu: 2 * time }));
const upTo = (length: number): number[] => Array.from({ length }, (_, index) => index + 1);

test('median takes the middle value, or the mean of the two in the middle', () => {
  expect(median([5, 1, 4, 2, 3])).toBe(3);
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(median([])).toBeNaN();
});

test('percentile takes the smallest value that the share of values does not exceed', () => {
  expect(percentile(upTo(200), 0.99)).toBe(198);
  expect(percentile([7], 0.99)).toBe(7);
  expect(percentile([], 0.99)).toBeNaN();
});

test('the interval of a median has the ranks of the tables for 95 %', () => {
  // Ranks 9 and 22 of 30, and 2 and 9 of 10: between them the median lies in at least 95 of 100 cases.
  const binomialCoverage = (n: number, low: number, high: number): number => {
    let [term, sum] = [0.5 ** n, 0];
    for (let below = 0; below < high; below++) {
      if (below >= low) sum += term;
      term = (term * (n - below)) / (below + 1);
    }
    return sum;
  };
  for (const n of [10, 16, 24, 30]) {
    const { low, high } = estimate(upTo(n));
    expect(binomialCoverage(n, low, high)).toBeGreaterThanOrEqual(0.95);
    expect(binomialCoverage(n, low + 1, high - 1)).toBeLessThan(0.95);
  }
});

test('the interval of a few values contains all of them', () => {
  expect(estimate([3, 1, 2])).toEqual({ median: 2, low: 1, high: 3 });
});

test('a ratio is taken within each round, so that drift of the machine cancels out', () => {
  const [subject, other] = [samples(10, 20, 40), samples(15, 30, 60)];
  expect(speedRatio(subject, other, 'time')).toEqual({ median: 1.5, low: 1.5, high: 1.5 });
});

test('a subject that needs half of the time or processor time has a ratio of 2', () => {
  const [subject, other] = [[{ time: 10, cpu: 40 }], [{ time: 20, cpu: 20 }]];
  expect(speedRatio(subject, other, 'time').median).toBe(2);
  expect(speedRatio(subject, other, 'cpu').median).toBe(0.5);
});

test('shuffle keeps all items, in an order given by the random numbers', () => {
  const numbers = [0.4, 0.1, 0.9, 0.2].values();
  expect(shuffle([1, 2, 3, 4], () => numbers.next().value!)).toEqual([2, 4, 1, 3]);
});

test('runRounds samples each contestant once in each round, and discards the warm-up rounds', async () => {
  const calls: string[] = [];
  const sampler = (name: string, time: number) => (round: number) => {
    calls.push(`${name} ${round}`);
    return Promise.resolve({ time: round < 0 ? 1e6 : time, cpu: 1 });
  };
  const contestants = new Map(['a', 'b', 'c'].map((name, index) => [name, sampler(name, index)]));
  const result = await runRounds(contestants, 6);
  expect([...result].map(([name, all]) => [name, all.map(({ time }) => time)])).toEqual([
    ['a', [0, 0, 0, 0, 0, 0]],
    ['b', [1, 1, 1, 1, 1, 1]],
    ['c', [2, 2, 2, 2, 2, 2]],
  ]);
  for (const [index, round] of [-1, 0, 1, 2, 3, 4, 5].entries()) {
    const inRound = calls.slice(3 * index, 3 * index + 3).sort();
    expect(inRound).toEqual([`a ${round}`, `b ${round}`, `c ${round}`]);
  }
});
