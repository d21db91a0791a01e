import { writeFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { openJobs } from '../../../../lib/batch/jobs/open-jobs.js';
import { Template } from '../../../../lib/batch/jobs/templates.js';
import { InvalidJob } from '../../../../lib/batch/types.js';
import { useTempDir } from '../../../support/temp-dir.js';

const dir = useTempDir();

type Templates = Record<'url' | 'name', string> & { readonly set: readonly string[] };

async function expand(
  options: Partial<Templates>,
  path?: string,
): Promise<{ total: number | undefined; jobs: string[] }> {
  const templates = { url: '/{p}?wid={wid}', name: '{p}-{wid}.jpg', set: ['p=a', 'wid=1'], ...options };
  const list =
    path === undefined
      ? ({ kind: 'matrix', templates } as const)
      : ({ kind: 'lines', path, templates } as const);
  const { total, jobs } = await openJobs(list, Readable.from([]));
  const lines: string[] = [];
  for await (const { where, job } of jobs) {
    if (job instanceof InvalidJob) lines.push(`${where}: ${job.message}`);
    else
      lines.push(
        Object.values(job as object)
          .slice(-2)
          .join(' '),
      );
  }
  return { total, jobs: lines };
}

it('expands to every combination, the first set slowest, and knows how many there are', async () => {
  expect(await expand({ set: ['p=a,b', 'wid=1,2,3'] })).toEqual({
    total: 6,
    jobs: [
      ...['/a?wid=1 a-1.jpg', '/a?wid=2 a-2.jpg', '/a?wid=3 a-3.jpg'],
      ...['/b?wid=1 b-1.jpg', '/b?wid=2 b-2.jpg', '/b?wid=3 b-3.jpg'],
    ],
  });
});

it('encodes values where they go into the URL, except for slashes, and nowhere else', async () => {
  const [url, name] = ['/{p}?wid={Bild-Größe px}', '{p}-{Bild-Größe px}.jpg'];
  const { jobs } = await expand({ url, name, set: ['p=cat/a b&c', 'Bild-Größe px=1'] });
  expect(jobs).toEqual(['/cat/a%20b%26c?wid=1 cat/a b&c-1.jpg']);
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
    `${dir('list')}:2: it is longer than 1048576 characters: shorten it, or leave it out`,
  );
});

it('is one job without sets', async () => {
  expect(await expand({ url: '/x', name: 'x.jpg', set: [] })).toEqual({ total: 1, jobs: ['/x x.jpg'] });
});

it('fills its places with the fields of JSON, too, and leaves a URL that is one place as it is', async () => {
  writeFileSync(dir('list'), '{"p":"a b","u":"/a?b=%20"}\n{"p":"","u":"/c"}\n');
  expect(await expand({ url: '{u}', set: ['wid=1,2'] }, dir('list'))).toEqual({
    total: 4,
    jobs: [
      ...['/a?b=%20 a b-1.jpg', '/a?b=%20 a b-2.jpg'],
      ...Array.from({ length: 2 }, () => `${dir('list')}:2: it has no value for the place {p}`),
    ],
  });
});

it.each<[string, Partial<Templates>, RegExp]>([
  ['an empty value', { set: ['p=a', 'wid=1,'] }, /--set wid=1, has an empty value/],
  [
    'templates whose first combination is no job',
    { url: 'x/{p}?wid={wid}' },
    /first combination is no job: its URL must/,
  ],
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

it('has places, and leaves brackets that are none as they are; a value may hold anything', () => {
  const template = new Template('/{picture}?wid={wid}&again={picture}&src={cat/y?wid=3}&a={}&b={ c }');
  expect([...template.places]).toEqual(['picture', 'wid']);
  expect(template.fill((name) => `{${name}}$&`)).toBe(
    '/{picture}$&?wid={wid}$&&again={picture}$&&src={cat/y?wid=3}&a={}&b={ c }',
  );
  // The name of a column is a place, whatever it looks like.
  expect(new Template('/{#1}{#2}', ['#1']).fill(() => '!')).toBe('/!{#2}');
});
