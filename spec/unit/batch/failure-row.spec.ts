import { FailureRow } from '../../../lib/batch/failure-row.js';
import type { GaveUpError, SaveResult } from '../../../lib/batch/types.js';

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

it.each([
  'saving-disabled',
  'not-authorized',
  'connection-refused',
  'host-not-found',
  'folder-missing',
  'http-401',
])('ends the batch after ten in a row: %s', (code) => {
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
