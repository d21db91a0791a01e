// The stores of docs/recipes pass the store tests, run by the recipe for them; docs/stores.md has every option.
import { copyFileSync, writeFileSync } from 'node:fs';
import { s3Store } from '../../lib/s3.js';
import { storeTests } from '../../lib/stores/store-tests.js';
import { read, tableRows } from './markdown.js';
import { useProject } from '../support/project.js';

const page = read('docs/stores.md');
const tests = read('docs/recipes/store-test.mjs');

const { file, run } = useProject();

const wrapped = tests
  .replace('memoryStore(images)', 'loggingStore(memoryStore(images), () => undefined)')
  .replace('import { test }', "import { loggingStore } from './logging-store.mjs';\nimport { test }");

test.each([
  ['store', tests],
  ['wrapper', wrapped],
])('the %s of the recipes passes the store tests', async (kind, program) => {
  expect(program === tests).toBe(kind === 'store');
  for (const recipe of ['memory-store.mjs', 'logging-store.mjs']) {
    copyFileSync(`docs/recipes/${recipe}`, file(recipe));
  }
  writeFileSync(file('store.test.mjs'), program);
  const output = await run('store.test.mjs');
  const count = storeTests({ open: () => Promise.reject(new Error('Not opened')) }).length;
  expect(output).toMatch(new RegExp(`^(?:#|ℹ) pass ${count}$`, 'm'));
  expect(output).toMatch(/^(?:#|ℹ) fail 0$/m);
});

test('the page lists the options of s3Store with their defaults', () => {
  const rows = tableRows(/## A bucket\n([^]*?)\n### /.exec(page)?.[1] ?? '');
  const named = rows.map(([cell = '']) => /^`(\w+)`$/.exec(cell)?.[1]).filter((name) => name !== undefined);
  const wrong = { client: undefined, bucket: 'b', other: 1 } as unknown as Parameters<typeof s3Store>[0];
  expect(() => s3Store(wrong)).toThrow(`its options are ${named.join(', ')}`);
});
