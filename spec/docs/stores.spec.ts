// The stores of docs/stores.md pass the store tests, run as the page shows it.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { s3Store } from '../../lib/s3.js';
import { storeTests } from '../../lib/stores/store-tests.js';
import { removeTempDirs } from '../support/temp-dir.js';
import { blocks, read, tableRows } from './markdown.js';
import { makeProject, runProgram } from '../support/project.js';

const page = read('docs/stores.md');
const [, store = '', wrapper = '', tests = ''] = blocks(page)
  .filter(({ language }) => language === 'js')
  .map(({ text }) => text);

let project: string;
beforeAll(() => {
  project = makeProject([]);
});
afterAll(removeTempDirs);

const wrapped = tests
  .replace('memoryStore(images)', 'loggingStore(memoryStore(images), () => undefined)')
  .replace('import { test }', "import { loggingStore } from './logging-store.mjs';\nimport { test }");

test.each([
  ['store', tests],
  ['wrapper', wrapped],
])('the %s of the page passes the store tests', async (kind, program) => {
  expect(program === tests).toBe(kind === 'store');
  writeFileSync(join(project, 'memory-store.mjs'), store);
  writeFileSync(join(project, 'logging-store.mjs'), wrapper);
  const file = join(project, `${kind}.test.mjs`);
  writeFileSync(file, program);
  const output = await runProgram(file, { cwd: project });
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
