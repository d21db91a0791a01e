import { FailureRow, Pace, retryDelay } from '../../../lib/batch/pace.js';
import type { Outcome } from '../../../lib/batch/outcome.js';
import type { GaveUpError, SaveResult } from '../../../lib/batch/types.js';

const done = { result: { status: 'done' } } as const;
const failure = { result: { status: 'failed' } } as const;
const busy = { ...failure, isBusy: true } as const;

function repeat(pace: Pace, outcome: Outcome, times: number): void {
  for (let i = 0; i < times; i++) pace.record(outcome, pace.decreases);
}

it('starts at the maximum, stays there at other failures, and allows less after each refusal, but always one', () => {
  const pace = new Pace(8);
  repeat(pace, done, 1000);
  // It says nothing of the load.
  repeat(pace, failure, 1);
  const limits = [0, 1, 1, 1, 100].map((refusals) => {
    repeat(pace, busy, refusals);
    return pace.limit;
  });
  expect(limits).toEqual([8, 6, 4, 3, 1]);
});

it('counts the refusals of requests that ran at the same time once', () => {
  const pace = new Pace(8);
  const { decreases } = pace;
  for (let i = 0; i < 8; i++) pace.record(busy, decreases);
  expect(pace.limit).toBe(6);
});

it('comes back to the maximum as the server copes, and does not go beyond it', () => {
  const pace = new Pace(8);
  repeat(pace, busy, 100);
  repeat(pace, done, 30);
  expect(pace.limit).toBeGreaterThan(1);
  repeat(pace, done, 1000);
  expect(pace.limit).toBe(8);
});

it('pauses for as long as a rate limit says, no less when a shorter one follows, and not for one save', () => {
  const pace = new Pace(8);
  pace.record({ ...busy, retryAfter: 9000 }, 0, 1000);
  expect(pace.remainingPause(1000)).toBe(0);
  pace.record({ ...busy, isRateLimit: true, retryAfter: 5000 }, 0, 1000);
  pace.record({ ...busy, isRateLimit: true, retryAfter: 1000 }, 0, 1000);
  expect([1000, 4000, 6000, 7000].map((now) => pace.remainingPause(now))).toEqual([5000, 2000, 0, 0]);
});

it('waits twice as long before each attempt, less up to half at random, and no less than the server asks', () => {
  const delays = (hasReplied: boolean, ...attempts: number[]): number[] =>
    attempts.map((each) => retryDelay(each, failure, hasReplied, () => 0));
  expect(delays(true, 1, 2, 3, 6, 7, 60)).toEqual([500, 1000, 2000, 16_000, 30_000, 30_000]);
  // A server that has never replied.
  expect(delays(false, 1, 2, 9)).toEqual([500, 1000, 1000]);
  expect(retryDelay(1, failure, true, () => 1)).toBe(250);
  expect(retryDelay(1, { ...failure, retryAfter: 3000 }, true)).toBe(3000);
  expect(retryDelay(4, { ...failure, retryAfter: 3000 }, true, () => 0)).toBe(4000);
});

describe('a row of failures', () => {
  const result = (code: string, name = 'a.jpg'): SaveResult => ({
    ...{ url: '/x', name, attempts: 1, milliseconds: 1, at: 'now', code },
    status: code === '' ? 'done' : 'failed',
  });

  /** How many results it takes until the batch ends. */
  function countUntilEnd(codes: readonly string[]): number | undefined {
    const row = new FailureRow();
    const at = codes.findIndex((code) => row.add(result(code)) !== undefined);
    return at < 0 ? undefined : at + 1;
  }

  const ten = (code: string): string[] => Array.from({ length: 10 }, () => code);

  const forAll = 'saving-disabled not-authorized connection-refused host-not-found folder-missing http-401';
  it.each(forAll.split(' '))('ends the batch after ten in a row: %s', (code) => {
    expect(countUntilEnd(ten(code))).toBe(10);
    expect(countUntilEnd(['', ...ten(code)])).toBe(11);
    expect(countUntilEnd([...ten(code).slice(1), '', ...ten(code)])).toBe(20);
  });

  it.each(['connection-broken', 'no-reply', 'http-302', 'http-101', 'http-502'])(
    'ends the batch after ten in a row before anything was done, and not later: %s',
    (code) => {
      expect(countUntilEnd(ten(code))).toBe(10);
      expect(countUntilEnd(['', ...ten(code)])).toBeUndefined();
    },
  );

  it.each(['too-busy', 'timeout', 'http-404', 'broken-image', 'renderer-status'])(
    'goes on after any number of %s',
    (code) => {
      expect(countUntilEnd(ten(code))).toBeUndefined();
    },
  );

  it('names the folders that are missing, each once', () => {
    const row = new FailureRow();
    let reason: GaveUpError | undefined;
    for (let i = 0; i < 10; i++) reason = row.add(result('folder-missing', `SKU-${i % 2}/a/${i}.jpg`));
    expect(reason).toMatchObject({ code: 'folder-missing', folders: ['SKU-0/a', 'SKU-1/a'] });
  });
});
