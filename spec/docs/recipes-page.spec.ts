// docs/recipes.md shows the recipes' files, each once, to the letter.
import { readdirSync } from 'node:fs';
import { basename } from 'node:path';
import { blocks, read } from './markdown.js';

const shown = blocks(read('docs/recipes.md')).map(({ before, text }) => {
  const file = /\[`(recipes\/[^`]+)`\]\(\1\):\s*$/.exec(before)?.[1] ?? `no file named before: ${text}`;
  return { file: basename(file), text };
});

test('every code block equals the file that the line above it names', () => {
  for (const { file, text } of shown) expect(text).toBe(read(`docs/recipes/${file}`));
});

test('the page shows every recipe file', () => {
  expect(shown.map(({ file }) => file).sort()).toEqual(readdirSync('docs/recipes').sort());
});
