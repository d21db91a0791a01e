import { writeFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { createMatrix, type MatrixOptions } from '../../../../lib/batch/jobs/matrix.js';
import { useTempDir } from '../../../support/temp-dir.js';

const dir = useTempDir();

async function expand(options: Partial<MatrixOptions>): Promise<{ total: number; jobs: string[] }> {
  const all = { url: '/{p}?wid={wid}', name: '{p}-{wid}.jpg', set: ['p=a', 'wid=1'], ...options };
  const { total, jobs } = await createMatrix(all, Readable.from([]));
  const lines: string[] = [];
  for await (const { job } of jobs) {
    const { url, name } = job as { url: string; name: string };
    lines.push(`${url} ${name}`);
  }
  return { total, jobs: lines };
}

it('expands to every combination, the first set slowest, and knows how many there are', async () => {
  expect(await expand({ set: ['p=a,b', 'wid=1,2,3'] })).toEqual({
    total: 6,
    jobs: ['/a?wid=1 a-1.jpg', '/a?wid=2 a-2.jpg', '/a?wid=3 a-3.jpg']
      .flatMap((line) => line)
      .concat([...['/b?wid=1 b-1.jpg', '/b?wid=2 b-2.jpg', '/b?wid=3 b-3.jpg']]),
  });
});

it('encodes values where they go into the URL, except for slashes, and nowhere else', async () => {
  expect((await expand({ set: ['p=cat/a b&c', 'wid=1'] })).jobs).toEqual([
    '/cat/a%20b%26c?wid=1 cat/a b&c-1.jpg',
  ]);
});

it('reads values from a file, one a line, also for an inner set', async () => {
  writeFileSync(dir('list'), '# pictures\nx,y\r\n\nz\n');
  const { total, jobs } = await expand({ set: ['wid=1,2', `p=@${dir('list')}`] });
  expect(total).toBe(4);
  expect(jobs).toEqual([
    ...['/x%2Cy?wid=1 x,y-1.jpg', '/z?wid=1 z-1.jpg', '/x%2Cy?wid=2 x,y-2.jpg', '/z?wid=2 z-2.jpg'],
  ]);
});

it('refuses a line that is too long for a value, by its number', async () => {
  writeFileSync(dir('list'), `x\n${'y'.repeat(1_100_000)}\nz\n`);
  await expect(expand({ set: ['wid=1', `p=@${dir('list')}`] })).rejects.toThrow(
    `${dir('list')}:2 is longer than 1048576 characters. Shorten this value, or leave it out.`,
  );
});

it('is one job without sets', async () => {
  expect(await expand({ url: '/x', name: 'x.jpg', set: [] })).toEqual({ total: 1, jobs: ['/x x.jpg'] });
});

it.each<[string, Partial<MatrixOptions>, RegExp]>([
  [
    'a place without values',
    { set: ['p=a'] },
    /--url has the place \{wid\}. Give its values, as in --set wid=/,
  ],
  ['a place of the name without values', { name: '{p}-{q}-{wid}' }, /--name has the place \{q\}/],
  [
    'values that would give images the same name',
    { set: ['p=a,b', 'wid=1'], name: 'x.jpg' },
    /Add \{p\} to --name/,
  ],
  ['a set that is given twice', { set: ['p=a', 'wid=1', 'wid=2'] }, /--set wid is given twice/],
  ['text that is no set', { set: ['wid'] }, /"wid" is no set of values/],
  ['a file that does not exist', { set: ['p=@none', 'wid=1'] }, /There is no file none/],
  ['standard input as a file', { set: ['p=@-', 'wid=1'] }, /needs a file/],
])('refuses %s and names the fix', async (_what, options, message) => {
  await expect(expand(options)).rejects.toThrow(message);
});
