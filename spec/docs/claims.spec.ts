// The documents name files, scripts, packages and error codes that exist.
import { existsSync, readdirSync } from 'node:fs';
import { isRetryable } from '../../lib/errors.js';
import { ERROR_CODES } from '../support/refusal.js';
import { codeSpans, markdownFiles, prose, read, tableRows } from './markdown.js';

const manifest = JSON.parse(read('package.json')) as {
  scripts: Record<string, string>;
  dependencies: Record<string, string>;
  peerDependencies: Record<string, string>;
  devDependencies: Record<string, string>;
};
const pages = markdownFiles().map((file) => ({ file, text: read(file) }));
const architecture = read('docs/architecture.md');

test('a spec, or a program that one runs, names each program of the documents', () => {
  const texts = ['spec/docs', 'spec/integration/hosts', 'spec/integration/recipes', 'docs/recipes'].flatMap(
    (folder) => readdirSync(folder).map((file) => read(`${folder}/${file}`)),
  );
  const inPages = pages.filter(({ text }) => /^```[jt]s$/m.test(text)).map(({ file }) => file);
  const programs = [
    ...readdirSync('docs/recipes').filter((file) => file.endsWith('.mjs')),
    ...readdirSync('docs/clients'),
    ...inPages,
  ];
  const named = (file: string): boolean => texts.some((text) => new RegExp(`['/]${file}'`).test(text));
  expect(programs.filter((file) => !named(file))).toEqual([]);
});

test('every npm script that a document names exists', () => {
  const builtIn = ['ci', 'install', 'ls', 'pack'];
  for (const { file, text } of pages) {
    const named = [...text.matchAll(/\bnpm (?:run )?([a-z0-9:]+)/g)].map(([, script = '']) => script);
    const missing = named.filter((script) => !builtIn.includes(script) && !(script in manifest.scripts));
    expect([file, missing]).toEqual([file, []]);
  }
});

test('every file and folder that a document names exists', () => {
  const known = /^(\.ci|docs|lib|scripts|spec|demo)\/[\w./-]*$|^[\w-]+\.(config\.ts|md)$/;
  for (const { file, text } of pages) {
    const named = codeSpans(text)
      .flatMap((span) => span.split(' '))
      .filter((word) => known.test(word));
    const places = named.filter((path) => ![path, `docs/${path}`].some((place) => existsSync(place)));
    expect([file, places]).toEqual([file, []]);
  }
});

test('docs/architecture.md gives a reason for every package that users get, and for no other', () => {
  const rows = tableRows(/## Dependencies\n([^]*)/.exec(architecture)?.[1] ?? '').slice(1);
  const kinds = Object.fromEntries(rows.map(([name = '', kind]) => [name.replaceAll('`', ''), kind]));
  expect(kinds).toEqual({
    ...Object.fromEntries(Object.keys(manifest.peerDependencies).map((name) => [name, 'peer'])),
    ...Object.fromEntries(Object.keys(manifest.dependencies).map((name) => [name, 'own'])),
  });
});

test('docs/reliability.md names checks that exist', () => {
  const known = [read('spec/faults/all-checks.ts'), ...readdirSync('spec', { recursive: true })].join();
  const [, table = ''] = /## Fault → outcome → check([^#]*)/.exec(read('docs/reliability.md')) ?? [];
  const named = tableRows(table).flatMap(([, , check = '']) => codeSpans(check));
  expect(named.filter((check) => !known.includes(check))).toEqual([]);
});

test('docs/errors.md explains every code once, in the order of the code, with an anchor', () => {
  const explained = [...read('docs/errors.md').matchAll(/^\| <a id="([^"]+)"><\/a>`\1`/gm)].map(
    ([, code]) => code,
  );
  expect(explained).toEqual([...ERROR_CODES]);
});

test('docs/errors.md marks the codes for which a retry helps', () => {
  const rows = [...read('docs/errors.md').matchAll(/^\| <a id="([^"]+)"><\/a>`\1` *\| (yes)? *\|/gm)];
  const marked = rows.filter(([, , mark]) => mark === 'yes').map(([, code]) => code);
  expect(marked).toEqual(ERROR_CODES.filter(isRetryable));
});

test('every error code is used by the code, and every code that a document names exists', () => {
  const sources = readdirSync('lib', { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => read(`lib/${file}`));
  const used = (code: string): boolean => sources.join('').split(`'${code}'`).length > 2;
  expect(ERROR_CODES.filter((code) => !used(code))).toEqual([]);
  for (const { file, text } of pages) {
    const named = [...prose(text).matchAll(/\b403 `([^`]+)`/g)].map(([, code = '']) => code);
    const unknown = named.filter((code) => !ERROR_CODES.some((known) => known === code));
    expect([file, unknown]).toEqual([file, []]);
  }
});
