import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { countLines, openText, readJobLines, type TextSource } from '../../../../lib/batch/jobs/lines.js';
import { useTempDir } from '../../../support/temp-dir.js';

const dir = useTempDir();

const createSource = (text: string): TextSource => ({
  name: 'jobs.txt',
  isFile: true,
  open: () => Readable.from([Buffer.from(text)]),
});

async function read(text: string): Promise<unknown[]> {
  const entries: unknown[] = [];
  for await (const entry of readJobLines(createSource(text))) entries.push(entry);
  return entries;
}

it('reads a URL, white space and a name, which may hold spaces', async () => {
  expect(await read('/a?x=1 a.jpg\n  /b \t b c.jpg  \r\n')).toEqual([
    { where: 'jobs.txt:1', job: { url: '/a?x=1', name: 'a.jpg' } },
    { where: 'jobs.txt:2', job: { url: '/b', name: 'b c.jpg' } },
  ]);
});

it('reads JSON', async () => {
  expect(await read('{"url": "/a b", "name": "a.jpg", "timeout": 5}')).toEqual([
    { where: 'jobs.txt:1', job: { url: '/a b', name: 'a.jpg', timeout: 5 } },
  ]);
});

it('skips empty lines and comments, and counts them in the numbers of lines', async () => {
  const text = '# list\n\n  \n/a a.jpg\n  # more\n/b b.jpg';
  expect(await read(text)).toMatchObject([{ where: 'jobs.txt:4' }, { where: 'jobs.txt:6' }]);
  expect(await countLines(createSource(text))).toBe(2);
});

it.each([
  ['/only-a-url', /no name behind the URL/],
  ['{"url": "/a",', /not JSON/],
  ['x'.repeat(1_100_000), /longer than/],
])('reports a line that is no job, with its number (%#)', async (line, reason) => {
  expect(await read(`/a a.jpg\n${line}\n/b b.jpg`)).toMatchObject([
    { job: { name: 'a.jpg' } },
    { where: 'jobs.txt:2', reason: expect.stringMatching(reason) as string },
    { job: { name: 'b.jpg' } },
  ]);
});

it('opens a file as often as it is asked, and standard input by -', async () => {
  writeFileSync(dir('jobs.txt'), '/a a.jpg\n');
  const file = await openText(dir('jobs.txt'), Readable.from([]));
  expect([file.isFile, await countLines(file), await countLines(file)]).toEqual([true, 1, 1]);
  const stdin = Readable.from([]);
  const source = await openText('-', stdin);
  expect([source.name, source.isFile, source.open()]).toEqual(['stdin', false, stdin]);
});

it('names the fix for a file that is missing, and for a folder', async () => {
  mkdirSync(dir('folder'));
  await expect(openText(dir('none'), Readable.from([]))).rejects.toThrow(
    /There is no file .*none. Check the name/,
  );
  await expect(openText(dir('folder'), Readable.from([]))).rejects.toThrow(/is a folder. Name a file/);
});

it('reads what a file has when it is opened, and not what is appended meanwhile', async () => {
  const line = `/a ${'a'.repeat(1000)}.jpg\n`;
  writeFileSync(dir('jobs.txt'), line.repeat(100));
  const source = await openText(dir('jobs.txt'), Readable.from([]));
  const entries: unknown[] = [];
  for await (const entry of readJobLines(source)) {
    entries.push(entry);
    if (entries.length <= 200) appendFileSync(dir('jobs.txt'), line);
  }
  expect(entries).toHaveLength(100);
});

it('reads a file that is empty, also when something is appended', async () => {
  writeFileSync(dir('jobs.txt'), '');
  const source = await openText(dir('jobs.txt'), Readable.from([]));
  const stream = source.open();
  appendFileSync(dir('jobs.txt'), '/a a.jpg\n');
  expect(await stream.toArray()).toEqual([]);
});
