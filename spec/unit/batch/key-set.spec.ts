import { KeySet } from '../../../lib/batch/key-set.js';

it('has the keys that were added, through every time that it grows, and no others', () => {
  const keys = new KeySet();
  const [added, others] = [0, 5000].map((first) => Array.from({ length: 5000 }, (_, i) => String(first + i)));
  expect(added!.filter((key) => !keys.add('url', key))).toEqual([]);
  expect(added!.filter((key) => !keys.has('url', key))).toEqual([]);
  expect(others!.filter((key) => keys.has('url', key))).toEqual([]);
});

it('says whether a key is new, and tells where one part of it ends and the next begins', () => {
  const keys = new KeySet();
  expect([keys.add('a b', 'c'), keys.add('a b', 'c'), keys.add('a', 'b c')]).toEqual([true, false, true]);
});
