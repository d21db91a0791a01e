// The README's table of options agrees with the code: names, defaults, string values, members of the record.
import ts from 'typescript';
import { checkOptions } from '../../lib/options.js';
import { read, tableRows } from './markdown.js';

const source = ts.createSourceFile('options.ts', read('lib/options.ts'), ts.ScriptTarget.Latest, true);

interface Member {
  readonly name: string;
  readonly type: string;
}

/** The members of an interface of lib/options.ts. */
function membersOf(name: string): Member[] {
  const found = source.statements.filter(ts.isInterfaceDeclaration).find((each) => each.name.text === name);
  return (found?.members.filter(ts.isPropertySignature) ?? []).map((member) => ({
    name: member.name.getText(),
    type: member.type?.getText() ?? '',
  }));
}

const table = tableRows(/## Options\n([^#]*)/.exec(read('README.md'))?.[1] ?? '').slice(1);
const rowOf = (name: string): string[] => table.find(([cell]) => cell === `\`${name}\``) ?? [];

test('the README lists every option with its default', () => {
  const settings: Record<string, unknown> = { ...checkOptions('imageSave', '', {}) };
  expect(table.map(([cell]) => cell)).toEqual(Object.keys(settings).map((name) => `\`${name}\``));
  for (const [name, value] of Object.entries(settings)) {
    const shown = (rowOf(name)[1] ?? '').replaceAll('`', '');
    if (typeof value === 'number') {
      expect([name, shown === '1 GiB' ? 1024 ** 3 : Number(shown.replaceAll('_', ''))]).toEqual([
        name,
        value,
      ]);
    } else if (typeof value === 'boolean') {
      expect([name, shown]).toEqual([name, String(value)]);
    } else if (typeof value === 'string') {
      expect([name, shown.startsWith(`'${value}'`)]).toEqual([name, true]);
    }
  }
});

test('the README names every string value of an option', () => {
  for (const { name, type } of membersOf('ImageSaveOptions')) {
    const words = type.includes('=>') ? [] : [...type.matchAll(/'[^']+'/g)].map(([word]) => `\`${word}\``);
    expect([name, words.filter((word) => !rowOf(name).join(' ').includes(word))]).toEqual([name, []]);
  }
});

test('the README names every member of the record of onSave', () => {
  const row = rowOf('onSave').join(' ');
  expect(membersOf('SaveRecord').filter(({ name }) => !new RegExp(`\\b${name}\\b`).test(row))).toEqual([]);
});
