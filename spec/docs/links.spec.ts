// Every relative link in the Markdown files leads to an existing file and heading.
import { existsSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path/posix';
import { anchors, links, markdownFiles, read } from './markdown.js';

const files = markdownFiles();

/** The links of a file that stay within the project, as [file, anchor]. */
function targets(file: string): [string, string][] {
  return links(read(file))
    .filter((target) => !/^[a-z][a-z\d+.-]*:/i.test(target))
    .map((target) => {
      const [path = '', anchor = ''] = target.split('#');
      return [path === '' ? file : normalize(join(dirname(file), path)), anchor];
    });
}

test.each(files)('every relative link of %s leads to an existing file and heading', (file) => {
  const broken = targets(file).filter(([path, anchor]) => {
    if (path.startsWith('..') || !existsSync(path)) return true;
    return anchor !== '' && !anchors(read(path)).has(anchor);
  });
  expect(broken).toEqual([]);
});

test('every page of docs/ can be reached from the README', () => {
  const reached = new Set(['README.md']);
  // A loop over a set also visits entries that are added meanwhile.
  for (const file of reached) {
    for (const [path] of targets(file)) if (path.endsWith('.md')) reached.add(path);
  }
  expect(files.filter((file) => file.startsWith('docs/') && !reached.has(file))).toEqual([]);
});

test('links to other sites use HTTPS', () => {
  const plain = files.flatMap((file) => links(read(file)).filter((target) => target.startsWith('http:')));
  expect(plain).toEqual([]);
});
