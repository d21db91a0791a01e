// The response matrix with each pair of host, middleware and way to respond. `npm run test:integration` tests all rows.
import { combinations, pairs, testAfterReply, testCombinations } from '../support/response-matrix.js';

testCombinations(pairs());
testAfterReply();

test.each([
  ['host', 'surroundings'],
  ['host', 'way'],
  ['surroundings', 'way'],
] as const)('every %s is tested with every %s', (one, other) => {
  const both = (rows: readonly Record<typeof one | typeof other, string>[]): string[] =>
    [...new Set(rows.map((row) => `${row[one]}, ${row[other]}`))].sort();
  expect(both(pairs())).toEqual(both(combinations));
});
