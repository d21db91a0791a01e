import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { countLines, readJobLines } from '../../../../lib/batch/jobs/lines.js';
import { openText } from '../../../../lib/batch/jobs/text.js';
import { useTempDir } from '../../../support/temp-dir.js';

const dir = useTempDir();

async function read(text: string | Buffer): Promise<unknown[]> {
  const entries: unknown[] = [];
  const bytes = Buffer.from(text as string);
  // In small pieces, as a pipe may have them.
  const chunks = Array.from({ length: Math.ceil(bytes.length / 7) }, (_, at) =>
    bytes.subarray(7 * at, 7 * at + 7),
  );
  const source = await openText('-', Readable.from(bytes.length > 10_000 ? [bytes] : chunks));
  for await (const entry of readJobLines({ ...source, name: 'jobs.txt' })) entries.push(entry);
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
  writeFileSync(dir('jobs.txt'), '/a a.jpg\n# b\n');
  const file = await openText(dir('jobs.txt'), Readable.from([]));
  expect([file.isFile, await countLines(file), await countLines(file)]).toEqual([true, 1, 1]);
  expect(await openText('-', Readable.from([]))).toMatchObject({ name: 'stdin', isFile: false });
});

it('reads UTF-8 with a byte order mark or none, and the ends of lines of any system', async () => {
  expect(await read('\ufeff/ä ä.jpg\r\n/b b.jpg\r/c c.jpg\n')).toMatchObject([
    { where: 'jobs.txt:1', job: { url: '/ä', name: 'ä.jpg' } },
    { where: 'jobs.txt:2', job: { name: 'b.jpg' } },
    { where: 'jobs.txt:3', job: { name: 'c.jpg' } },
  ]);
});

it('takes no line for a job whose bytes are not UTF-8', async () => {
  expect(await read(Buffer.from('/a caf\xe9.png\n/b b.png\n', 'latin1'))).toEqual([
    { where: 'jobs.txt:1', reason: expect.stringMatching(/not UTF-8.*iconv/) as string },
    { where: 'jobs.txt:2', job: { url: '/b', name: 'b.png' } },
  ]);
});

it.each<[string, Buffer, RegExp]>([
  [
    'UTF-16 with a mark',
    Buffer.from('\ufeff/a a.jpg\n', 'utf16le'),
    /Standard input is UTF-16\. Save it as UTF-8/,
  ],
  ['UTF-16 without one', Buffer.from('/a a.jpg\n', 'utf16le'), /is UTF-16/],
  ['gzip', gzipSync('/a a.jpg\n'), /is compressed \(gzip\)\. Unpack it: gunzip -c/],
  ['a workbook', Buffer.from('PK\u0003\u0004 and more'), /workbook of Excel.*CSV UTF-8/],
])('refuses %s and names the fix', async (_what, bytes, message) => {
  await expect(read(bytes)).rejects.toThrow(message);
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
  const chunks = source.read()[Symbol.asyncIterator]();
  const first = chunks.next();
  appendFileSync(dir('jobs.txt'), '/a a.jpg\n');
  expect((await first).done).toBe(true);
});
