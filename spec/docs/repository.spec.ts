// The repository's own files: they name one repository, pin their actions and state the supported versions.
import { readdirSync } from 'node:fs';
import { join } from 'node:path/posix';
import { read, tableRows } from './markdown.js';

interface Manifest {
  readonly name: string;
  readonly engines: { readonly node: string };
  readonly homepage: string;
  readonly repository: { readonly url: string };
  readonly bugs: { readonly url: string };
  readonly peerDependencies: Record<string, string>;
}

const manifest = JSON.parse(read('package.json')) as Manifest;
const workflows = readdirSync('.github/workflows').map((name) => join('.github/workflows', name));

test('package.json names one repository', () => {
  const [, url = '', owner = ''] =
    /^git\+(https:\/\/github\.com\/([\w-]+)\/[\w-]+)\.git$/.exec(manifest.repository.url) ?? [];
  expect(url).toBe(`https://github.com/${owner}/${manifest.name}`);
  expect([manifest.bugs.url, manifest.homepage]).toEqual([`${url}/issues`, `${url}#readme`]);
});

test('no other file names the owner of the repository, so it is set in package.json alone', () => {
  const documents = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md', ...workflows];
  const templates = readdirSync('.github/ISSUE_TEMPLATE').map((name) => join('.github/ISSUE_TEMPLATE', name));
  const naming = [...documents, ...templates].filter((file) =>
    new RegExp(`github\\.com/[\\w-]+/${manifest.name}`).test(read(file)),
  );
  expect(naming).toEqual([]);
});

test.each(workflows)('%s pins every action by its commit and names the version', (file) => {
  const used = [...read(file).matchAll(/\buses: (.+)$/gm)].map(([, action = '']) => action);
  expect(used.length).toBeGreaterThan(0);
  const loose = used.filter(
    (action) => !action.startsWith('./') && !/^[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(action),
  );
  expect(loose).toEqual([]);
});

test('all workflows use the same version of an action', () => {
  const versions = new Map<string, Set<string>>();
  for (const file of workflows) {
    for (const [, action = '', version = ''] of read(file).matchAll(/\buses: ([\w./-]+)@(.+)$/gm)) {
      versions.set(action, (versions.get(action) ?? new Set()).add(version));
    }
  }
  expect([...versions].filter(([, used]) => used.size > 1)).toEqual([]);
});

test.each(workflows)('%s gives no job more rights than it needs', (file) => {
  const text = read(file);
  // Without this line a job gets the default rights of the repository.
  expect(text).toMatch(/^permissions:( \{\}|\n {2}contents: read)$/m);
  const writing = [...text.matchAll(/^ +([\w-]+): write$/gm)].map(([, right = '']) => right);
  const needed: Record<string, string[]> = { 'release.yml': ['id-token'], 'codeql.yml': ['security-events'] };
  expect(writing).toEqual(needed[file.slice(file.lastIndexOf('/') + 1)] ?? []);
});

describe('the table of supported versions in SECURITY.md', () => {
  const section = /## Supported versions\n([^]*?)\n## /.exec(read('SECURITY.md'))?.[1] ?? '';
  const rows = tableRows(section).slice(1);
  const versionsOf = (name: string): string[] =>
    rows.filter(([label]) => label === name).map(([, versions = '']) => versions);

  test('has the ranges of package.json', () => {
    expect(versionsOf('Node')[0]).toBe(`20, from ${manifest.engines.node.replace(/^>=(.*)\.0$/, '$1')}`);
    for (const [name, range] of Object.entries(manifest.peerDependencies)) {
      expect(versionsOf(`\`${name}\``).map((text) => text.split('`')[1])).toEqual([range]);
    }
  });

  test('has a Node version for each one that CI tests', () => {
    const majors = versionsOf('Node').map((text) => /^\d+/.exec(text)?.[0]);
    const [, matrix = ''] = /node: \[(.*)\]/.exec(read('.github/workflows/test.yml')) ?? [];
    const tested = [...matrix.matchAll(/'(\d+)[.']/g)].map(([, major]) => major);
    expect(tested.length).toBeGreaterThan(2);
    expect(majors).toEqual(expect.arrayContaining(tested));
  });

  test('says until when each version is supported', () => {
    expect(rows.length).toBeGreaterThan(5);
    expect(rows.filter(([, , until = '']) => until === '')).toEqual([]);
  });
});
