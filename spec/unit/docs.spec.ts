// What the documents list is what the code has.
import { readFileSync } from 'node:fs';
import { ERROR_CODES } from '../../lib/errors.js';
import { checkOptions } from '../../lib/options.js';

const read = (file: string): string => readFileSync(file, 'utf8');

/** The first column of a document's tables, where it is code. */
const firstColumn = (text: string): string[] =>
  [...text.matchAll(/^\| `([^`]+)`/gm)].map(([, cell]) => cell ?? '');

test('docs/errors.md explains every code once, in the order of the code', () => {
  expect(firstColumn(read('docs/errors.md'))).toEqual([...ERROR_CODES]);
});

test('the README lists every option with its default', () => {
  const table = /## Options\n([^#]*)/.exec(read('README.md'))?.[1] ?? '';
  const settings: Record<string, unknown> = { ...checkOptions({}) };
  expect(firstColumn(table)).toEqual(Object.keys(settings));
  for (const [, name = '', shown = ''] of table.matchAll(/^\| `([^`]+)` *\| *([^|]*?) *\|/gm)) {
    const value = settings[name];
    if (typeof value === 'number') {
      const digits = shown.replaceAll(/[`_]/g, '');
      expect([name, digits === '1 GiB' ? 1024 ** 3 : Number(digits)]).toEqual([name, value]);
    } else if (typeof value !== 'function' && value !== undefined) {
      expect([name, shown]).toEqual([
        name,
        `\`${value === true || value === false ? String(value) : `'${value as string}'`}\``,
      ]);
    }
  }
});
