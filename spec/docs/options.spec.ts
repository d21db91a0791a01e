// The README's table of options agrees with the code: names, defaults, string values, members of the record.
import ts from 'typescript';
import { checkOptions } from '../../lib/save/options.js';
import { read, tableRows } from './markdown.js';

interface Member {
  readonly name: string;
  readonly type: string;
}

/** The members of an interface of a file. */
function membersOf(name: string, file = 'lib/save/options.ts'): Member[] {
  const source = ts.createSourceFile(file, read(file), ts.ScriptTarget.Latest, true);
  const found = source.statements.filter(ts.isInterfaceDeclaration).find((each) => each.name.text === name);
  return (found?.members.filter(ts.isPropertySignature) ?? []).map((member) => ({
    name: member.name.getText(),
    type: member.type?.getText() ?? '',
  }));
}

const table = tableRows(/## Options\n([^#]*)/.exec(read('README.md'))?.[1] ?? '').slice(1);
const rowOf = (name: string): string[] => table.find(([cell]) => cell === `\`${name}\``) ?? [];

test('the README lists every option with its default', () => {
  expect(table.map(([cell]) => cell)).toEqual(membersOf('ImageSaveOptions').map(({ name }) => `\`${name}\``));
  for (const [name, value] of Object.entries<unknown>({ ...checkOptions('imageSave', '', {}) })) {
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

test('the page on hooks names every member of the record of onSave', () => {
  const [, text = ''] = /Its record has ([^;]*);/.exec(read('docs/in-your-app.md')) ?? [];
  const record = membersOf('SaveRecord', 'lib/save/save-record.ts');
  expect([...text.matchAll(/`(\w+)`/g)].map(([, name]) => name).sort()).toEqual(
    record.map(({ name }) => name).sort(),
  );
});
