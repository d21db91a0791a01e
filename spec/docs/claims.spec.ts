// What the documents say of the project's files, scripts and packages is so.
import { existsSync, readdirSync } from 'node:fs';
import { basename } from 'node:path';
import { ERROR_CODES } from '../../lib/errors.js';
import { codeSpans, markdownFiles, prose, read, tableRows } from './markdown.js';

const manifest = JSON.parse(read('package.json')) as {
  scripts: Record<string, string>;
  dependencies: Record<string, string>;
  peerDependencies: Record<string, string>;
  devDependencies: Record<string, string>;
};
const pages = markdownFiles().map((file) => ({ file, text: read(file) }));
const contributing = read('CONTRIBUTING.md');
const architecture = read('docs/architecture.md');

test('every npm script that a document names is there', () => {
  const builtIn = ['ci', 'install', 'pack'];
  for (const { file, text } of pages) {
    const named = [...text.matchAll(/\bnpm (?:run )?([a-z0-9:]+)/g)].map(([, script = '']) => script);
    const missing = named.filter((script) => !builtIn.includes(script) && !(script in manifest.scripts));
    expect([file, missing]).toEqual([file, []]);
  }
});

test('CONTRIBUTING.md names every npm script', () => {
  const unnamed = Object.keys(manifest.scripts).filter(
    (script) => !codeSpans(contributing).some((span) => span.split(' ').includes(script)),
  );
  // npm runs it.
  expect(unnamed.filter((script) => script !== 'prepack')).toEqual([]);
});

test('every file and folder that a document names is there', () => {
  const known = /^(\.ci|docs|lib|scripts|spec|demo)\/[\w./-]*$|^[\w-]+\.(config\.ts|md)$/;
  for (const { file, text } of pages) {
    const named = codeSpans(text)
      .flatMap((span) => span.split(' '))
      .filter((word) => known.test(word));
    const places = named.filter((path) => ![path, `docs/${path}`].some((place) => existsSync(place)));
    expect([file, places]).toEqual([file, []]);
  }
});

test('CONTRIBUTING.md says what is in every folder of spec/', () => {
  const folders = readdirSync('spec', { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const unnamed = folders.map(({ name }) => `spec/${name}/`).filter((name) => !contributing.includes(name));
  expect(unnamed).toEqual([]);
});

test('docs/architecture.md gives a reason for every package that users get, and for no other', () => {
  const rows = tableRows(/## Dependencies\n([^]*)/.exec(architecture)?.[1] ?? '').slice(1);
  const kinds = Object.fromEntries(rows.map(([name = '', kind]) => [name.replaceAll('`', ''), kind]));
  expect(kinds).toEqual({
    ...Object.fromEntries(Object.keys(manifest.peerDependencies).map((name) => [name, 'peer'])),
    ...Object.fromEntries(Object.keys(manifest.dependencies).map((name) => [name, 'own'])),
  });
});

test('every error code is used by the code, and every code that a document names exists', () => {
  const sources = readdirSync('lib', { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => read(`lib/${file}`));
  const used = (code: string): boolean => sources.join('').split(`'${code}'`).length > 2;
  expect(ERROR_CODES.filter((code) => !used(code))).toEqual([]);
  for (const { file, text } of pages) {
    const named = [...prose(text).matchAll(/\b403 `([^`]+)`/g)].map(([, code = '']) => code);
    expect([file, named.filter((code) => !(ERROR_CODES as readonly string[]).includes(code))]).toEqual([
      file,
      [],
    ]);
  }
});

test('docs/errors.md has the codes under the headings of lib/errors.ts', () => {
  const list = /ERROR_CODES = \[\n([^]*?)\]/.exec(read('lib/errors.ts'))?.[1] ?? '';
  const groups = list.split(/^ *\/\/ /m).map((group) => group.split('\n')[0] ?? '');
  const headings = [...read('docs/errors.md').matchAll(/^## (.+)$/gm)].map(([, heading]) => heading);
  // The last two share a heading.
  expect(headings).toEqual([...groups.slice(1, -2), 'Time and the rest']);
});

test('every page begins with its title', () => {
  for (const { file, text } of pages)
    expect([basename(file), /^# \S/.test(text)]).toEqual([basename(file), true]);
});
