import { Readable } from 'node:stream';
import { readJobLines } from '../../../../lib/batch/jobs/open-jobs.js';
import { openText } from '../../../../lib/batch/text.js';

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

it('takes no line for a job whose bytes are not UTF-8', async () => {
  expect(await read(Buffer.from('/a caf\xe9.png\n/b b.png\n', 'latin1'))).toEqual([
    { where: 'jobs.txt:1', reason: expect.stringMatching(/not UTF-8.*iconv/) as string },
    { where: 'jobs.txt:2', job: { url: '/b', name: 'b.png' } },
  ]);
});
