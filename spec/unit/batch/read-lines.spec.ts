import { Readable } from 'node:stream';
import { MAX_LINE_LENGTH, readLines, type Line } from '../../../lib/batch/read-lines.js';

async function read(...chunks: string[]): Promise<Line[]> {
  const lines: Line[] = [];
  for await (const line of readLines(Readable.from(chunks) as AsyncIterable<string>)) lines.push(line);
  return lines;
}

const texts = async (...chunks: string[]): Promise<(string | undefined)[]> =>
  (await read(...chunks)).map(({ text }) => text);

it('finds the lines however they are cut into chunks', async () => {
  expect(await texts('a\nb', 'c\n', '\nd')).toEqual(['a', 'bc', '', 'd']);
  expect(await texts('a\n')).toEqual(['a']);
  expect(await texts()).toEqual([]);
});

it('numbers the lines from 1', async () => {
  expect(await read('a\n\nb')).toEqual([
    { number: 1, text: 'a' },
    { number: 2, text: '' },
    { number: 3, text: 'b' },
  ]);
});

it('gives up a line that is too long, keeps none of it, and reads the next one', async () => {
  const part = 'x'.repeat(MAX_LINE_LENGTH / 2);
  expect(await texts('a\n', part, part, part, part, '\nb\n', part + part + part + '\nc')).toEqual([
    ...['a', undefined, 'b', undefined, 'c'],
  ]);
  expect(await texts(part, part, part)).toEqual([undefined]);
});
