import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { MAX_LINE_LENGTH, openText, readLines, type Line, type TextSource } from '../../../lib/batch/text.js';
import { useTempDir } from '../../support/temp-dir.js';

const dir = useTempDir();

const openFile = (name: string): Promise<TextSource> => openText(dir(name), Readable.from([]));

async function readAll(source: TextSource, onChunk: () => void = () => undefined): Promise<string> {
  let text = '';
  for await (const chunk of source.read()) {
    text += chunk;
    onChunk();
  }
  return text;
}

async function read(...chunks: string[]): Promise<Line[]> {
  const lines: Line[] = [];
  for await (const line of readLines(Readable.from(chunks) as AsyncIterable<string>)) lines.push(line);
  return lines;
}

const texts = async (...chunks: string[]): Promise<(string | undefined)[]> =>
  (await read(...chunks)).map(({ text }) => text);

it('finds the lines however they are cut into chunks, and numbers them from 1', async () => {
  expect(await texts('a\nb', 'c\n', '\nd')).toEqual(['a', 'bc', '', 'd']);
  expect(await texts()).toEqual([]);
  expect(await read('a\n\nb\n')).toEqual(['a', '', 'b'].map((text, index) => ({ number: index + 1, text })));
});

it('gives up a line that is too long, keeps none of it, and reads the next one', async () => {
  const part = 'x'.repeat(MAX_LINE_LENGTH / 2);
  expect(await texts('a\n', part, part, part, part, '\nb\n', part + part + part + '\nc')).toEqual([
    ...['a', undefined, 'b', undefined, 'c'],
  ]);
  expect(await texts(part, part, part)).toEqual([undefined]);
});

it.each<[string, Buffer, RegExp]>([
  ['UTF-16 with a mark', Buffer.from('\ufeff/a\n', 'utf16le'), /Standard input is UTF-16\. Save it as/],
  ['UTF-16 without one', Buffer.from('/a a.jpg\n', 'utf16le'), /is UTF-16/],
  ['gzip', gzipSync('/a a.jpg\n'), /is compressed \(gzip\)\. Unpack it: gunzip -c/],
  ['a workbook', Buffer.from('PK\u0003\u0004 and more'), /workbook of Excel.*CSV UTF-8/],
])('refuses %s and names the fix', async (_what, bytes, message) => {
  await expect(readAll(await openText('-', Readable.from([bytes])))).rejects.toThrow(message);
});

it('reads UTF-8 with a byte order mark, and the ends of lines of any system', async () => {
  const chunks = ['\ufeffä\r', '\nb\rc', '\n\ufeffd'].map((text) => Buffer.from(text));
  expect(await readAll(await openText('-', Readable.from(chunks)))).toBe('ä\nb\nc\n\ufeffd');
});

it('names the fix for a file that is missing, and for a folder', async () => {
  mkdirSync(dir('folder'));
  await expect(openFile('none')).rejects.toThrow(/There is no file .*none. Check the name/);
  await expect(openFile('folder')).rejects.toThrow(/is a folder. Name a file/);
});

it.each(['', '\0\0\0\0/a', 'x'.repeat(100_000)])('reads what a file has at first (%#)', async (text) => {
  writeFileSync(dir('jobs.txt'), text);
  const source = await openFile('jobs.txt');
  expect([source.isFile, await readAll(source)]).toEqual([true, text]);
  const append = (): void => {
    appendFileSync(dir('jobs.txt'), text || 'y');
  };
  const reading = readAll(source, append);
  append();
  expect(await reading).toBe(text);
});
