// No file of lib/ imports itself by a detour, not even for types: a reader follows those imports too.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

const files = readdirSync('lib', { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => join('lib', name));

const importsOf = new Map(
  files.map((file) => {
    const { importedFiles } = ts.preProcessFile(readFileSync(file, 'utf8'));
    const local = importedFiles.filter(({ fileName }) => fileName.startsWith('.'));
    return [file, local.map(({ fileName }) => join(file, '..', fileName.replace(/\.js$/, '.ts')))];
  }),
);

/** The files from one on that lead back to it, as a text; undefined if none do. */
function findCircle(
  file: string,
  path: readonly string[] = [file],
  seen = new Set<string>(),
): string | undefined {
  for (const imported of importsOf.get(path.at(-1) ?? '') ?? []) {
    if (imported === file) return [...path, file].join(' → ');
    if (seen.has(imported)) continue;
    seen.add(imported);
    const circle = findCircle(file, [...path, imported], seen);
    if (circle !== undefined) return circle;
  }
  return undefined;
}

it('has no circle of imports', () => {
  expect(importsOf.get(join('lib', 'index.ts'))?.length).toBeGreaterThan(3);
  expect(files.map((file) => findCircle(file)).filter((circle) => circle !== undefined)).toEqual([]);
});
