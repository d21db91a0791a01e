import { retryDelay } from '../../../lib/batch/retry-delay.js';

const failure = { status: 'failed' } as const;

it('doubles with each attempt, up to half a minute', () => {
  const delays = [1, 2, 3, 4, 5, 6, 7, 8, 60].map((attempts) => retryDelay(attempts, failure, true, () => 0));
  expect(delays).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
});

it('takes off up to half, at random', () => {
  expect(retryDelay(1, failure, true, () => 1)).toBe(250);
});

it('never waits for less than the server asks', () => {
  expect(retryDelay(1, { ...failure, retryAfter: 3000 }, true)).toBe(3000);
  expect(retryDelay(4, { ...failure, retryAfter: 3000 }, true, () => 0)).toBe(4000);
});

it('waits a second at most for a server that has never replied', () => {
  expect([1, 2, 9].map((attempts) => retryDelay(attempts, failure, false, () => 0))).toEqual([
    500, 1000, 1000,
  ]);
});
