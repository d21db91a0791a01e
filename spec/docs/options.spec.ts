// The README's table of options against the types: what each says of defaults, units and members.
import ts from 'typescript';
import { read, tableRows } from './markdown.js';

const source = ts.createSourceFile('options.ts', read('lib/options.ts'), ts.ScriptTarget.Latest, true);

interface Member {
  readonly name: string;
  readonly type: string;
  /** Its comment, on one line. */
  readonly comment: string;
}

/** The members of an interface of lib/options.ts. */
function membersOf(name: string): Member[] {
  const found = source.statements.filter(ts.isInterfaceDeclaration).find((each) => each.name.text === name);
  return (found?.members.filter(ts.isPropertySignature) ?? []).map((member) => ({
    name: member.name.getText(),
    type: member.type?.getText() ?? '',
    comment: ts
      .getJSDocCommentsAndTags(member)
      .map((each) => ts.getTextOfJSDocComment(each.comment) ?? '')
      .join(' ')
      .replace(/\s+/g, ' '),
  }));
}

const options = membersOf('ImageSaveOptions');
const table = tableRows(/## Options\n([^#]*)/.exec(read('README.md'))?.[1] ?? '').slice(1);
const rowOf = (name: string): string[] => table.find(([cell]) => cell === `\`${name}\``) ?? [];

test('the README lists the members of ImageSaveOptions, in their order', () => {
  expect(table.map(([cell]) => cell)).toEqual(options.map(({ name }) => `\`${name}\``));
});

test('the README and the comments give the same defaults', () => {
  const plain = (text: string): string =>
    text
      .replaceAll('`', '')
      .replace(/(\d)[_,](?=\d)/g, '$1')
      .replace(/ \(disabled\)$/, '');
  for (const { name, comment } of options) {
    const stated = /Default:? (.+?)\.?$/.exec(comment)?.[1]?.replace(/^everyone .*/, 'everyone') ?? '–';
    expect([name, plain(rowOf(name)[1] ?? '')]).toEqual([name, plain(stated)]);
  }
});

test('where the comment says milliseconds, the README does', () => {
  for (const { name, comment } of options) {
    const says = (text = ''): boolean => text.includes('in milliseconds');
    expect([name, says(rowOf(name)[2])]).toEqual([name, says(comment)]);
  }
});

test('the README names every word that an option takes', () => {
  for (const { name, type } of options) {
    const words = type.includes('=>') ? [] : [...type.matchAll(/'[^']+'/g)].map(([word]) => `\`${word}\``);
    expect([name, words.filter((word) => !rowOf(name).join(' ').includes(word))]).toEqual([name, []]);
  }
});

test('the README tells what onSave is told', () => {
  const told = /told once of each command: (.*)$/.exec(rowOf('onSave')[2] ?? '')?.[1]?.split(', ');
  expect(told).toEqual(membersOf('SaveRecord').map(({ name }) => name));
});
