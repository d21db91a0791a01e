// When a target of the bench is met, and what the bench says of it.
import type { Finding } from '../../bench/rounds.js';
import { TARGETS, targetTable, verdictOn, type Target } from '../../bench/targets.js';

const atLeast: Target = { text: 'a ratio', of: 'ratio', atLeast: 0.95 };
const atMost: Target = { text: 'memory', of: 'memory', atMost: 32, unit: ' MB' };
const found = (median: number): Finding => ({ median, low: median, high: median });

test('what is to be large is met by the bound and by more, and missed by less', () => {
  expect([0.95, 1.2, 0.949].map((median) => verdictOn(atLeast, found(median)))).toEqual([
    ...['met', 'met', 'missed'],
  ]);
});

test('what is to be small is met by the bound and by less, and missed by more', () => {
  expect([32, 1, 32.1].map((median) => verdictOn(atMost, found(median)))).toEqual(['met', 'met', 'missed']);
});

test('what was refused or not measured is neither met nor missed', () => {
  expect(verdictOn(atLeast, { refused: 'the control is off' })).toBe('refused');
  expect(verdictOn(atLeast, undefined)).toBe('not measured');
  expect(verdictOn(atLeast, found(NaN))).toBe('missed');
});

test('the table has what was measured, and why a ratio was refused', () => {
  const findings = new Map<string, Finding>([
    ['ratio', { refused: 'the control is off by 4.0 %, more than 3 %' }],
    ['memory', found(33)],
  ]);
  const text = targetTable([atLeast, atMost, { ...atMost, of: 'something else' }], findings);
  expect(text.split('\n').slice(2)).toEqual([
    '| a ratio | ≥ 0.950 | the control is off by 4.0 %, more than 3 % | refused |',
    '| memory | ≤ 32.0 MB | 33.0 MB | missed |',
  ]);
});

test('each target has one bound and a name of its own', () => {
  for (const target of TARGETS) {
    expect([target.text, [target.atLeast, target.atMost].filter(Number.isFinite).length]).toEqual([
      target.text,
      1,
    ]);
  }
  expect(new Set(TARGETS.map(({ of }) => of)).size).toBe(TARGETS.length);
});
