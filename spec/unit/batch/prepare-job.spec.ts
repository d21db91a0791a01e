import { createRequest, prepareJob, prepareJobs, type PreparedJob } from '../../../lib/batch/prepare-job.js';
import { parseCommand } from '../../../lib/protocol/parse-command.js';
import { InvalidJob, UsageError } from '../../../lib/batch/types.js';

const defaults = { server: 'http://host', timeout: undefined };
const prepare = (job: unknown): PreparedJob => prepareJob({ where: 'jobs.txt:3', job }, defaults);

it('takes the url, the name and the timeout of a job, and keeps its further fields', () => {
  const prepared = prepare({ url: '/x', name: 'a.jpg', timeout: 5, status: 'failed', at: 'then', sku: 7 });
  expect(prepared).toEqual({
    ...{ url: '/x', name: 'a.jpg', timeout: 5, fields: { sku: 7 } },
    ...{ origin: 'http://host', image: 'http://host/x', path: '/x?req=saveToFile&name=a.jpg&timeout=5' },
  });
});

it.each<[unknown, RegExp]>([
  [null, /an object/],
  ['/x a.jpg', /an object/],
  [{ name: 'a' }, /no url/],
  [{ url: 3, name: 'a' }, /no url/],
  [{ url: '/x' }, /no name/],
  [{ url: '/x', name: '' }, /no name/],
  [{ url: '/x', name: 'a', timeout: 0 }, /whole milliseconds/],
  [{ url: '/x', name: 'a', timeout: '5' }, /whole milliseconds/],
  [{ url: 'x', name: 'a' }, /must start with/],
  [{ url: '/x', name: 'caf\ufffd.png' }, /lost when the list was converted/],
  [{ url: '/x', name: 'a\ud800.png' }, /lost when the list was converted/],
  [{ url: '/x', name: 'a', sku: 'x'.repeat(65_536) }, /further fields are longer/],
  [new InvalidJob('as its reader says'), /3: as its reader says$/],
])('says what is wrong with %j', (job, reason) => {
  const { result } = prepare(job);
  expect(result).toMatchObject({ status: 'failed', code: 'invalid-job' });
  expect(result?.message).toMatch(/^jobs\.txt:3: /);
  expect(result?.message).toMatch(reason);
});

it('takes a URL and a name of 65,536 characters, and none that are longer', () => {
  expect(prepare({ url: '/x', name: 'a'.repeat(65_534) }).result).toBeUndefined();
  expect(prepare({ url: '/x', name: 'a'.repeat(65_535) }).result?.message).toBe(
    'jobs.txt:3: its url and name are longer than 65536 characters',
  );
});

it('does not blame one job for a server that is missing for all', () => {
  expect(() =>
    prepareJob({ where: 'x', job: { url: '/x', name: 'a' } }, { ...defaults, server: undefined }),
  ).toThrow(new UsageError('The URL /x is a path. Name its server, as in --server http://localhost:3000'));
});

describe('a whole list', () => {
  const list = (...jobs: readonly string[]): { where: string; job: unknown }[] =>
    jobs.map((line, index) => {
      const [url, name] = line.split(' ');
      return { where: `jobs.txt:${index + 1}`, job: name === undefined ? line : { url, name } };
    });

  async function prepareAll(
    entries: Iterable<{ where: string; job: unknown }>,
    shard?: { index: number; count: number },
  ): Promise<string[]> {
    const found: string[] = [];
    async function* read(): AsyncGenerator<{ where: string; job: unknown }> {
      await Promise.resolve();
      yield* entries;
    }
    for await (const { url, name, result } of prepareJobs(read(), { ...defaults, shard }))
      found.push(result?.message ?? `${url} ${name}${result === undefined ? '' : ` ${result.code}`}`);
    return found;
  }

  it('has one URL for a name, and an identical job once', async () => {
    expect(
      await prepareAll(list('/a x.jpg', '/b x.jpg', '/a x.jpg', '/a y.jpg', '/b z-$v$', '/a z-$v$')),
    ).toEqual([
      ...[
        '/a x.jpg',
        'jobs.txt:2: another URL has the name x.jpg already: give each image a name of its own',
      ],
      ...['/a x.jpg repeated', '/a y.jpg', '/b z-$v$', '/a z-$v$'],
    ]);
  });

  it('is split into parts that have every entry once, with names compared before', async () => {
    const lines = Array.from({ length: 200 }, (_, index) => `/x?n=${index} ${index % 150}.jpg`);
    const entries = list(...lines, 'no job', 'nor this');
    const parts = await Promise.all([1, 2, 3].map((index) => prepareAll(entries, { index, count: 3 })));
    expect(parts.flat().sort()).toEqual((await prepareAll(entries)).sort());
    expect(parts.flat().filter((line) => line.includes('already'))).toHaveLength(50);
    for (const part of parts) expect(part.length).toBeGreaterThan(40);
  });

  it('ends when its first hundred entries are no jobs', async () => {
    const bad = list(...Array.from({ length: 101 }, () => 'no job'));
    await expect(prepareAll(bad)).rejects.toThrow(/first 100 entries of the list are no jobs/);
    expect(await prepareAll([...list('/a a.jpg'), ...bad])).toHaveLength(102);
  });

  it('gives timers their turn', async () => {
    let ticks = 0;
    const timer = setInterval(() => ticks++, 0);
    await prepareAll(list('/a a.jpg', ...Array.from({ length: 10_000 }, () => 'no job')));
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(5);
  });
});

describe('the request of a job', () => {
  const server = 'http://host:3000';
  const pathOf = (url: string, name = 'a.jpg'): string => createRequest({ url, name }, server).path;

  it.each([
    ['/shoe', '/shoe?req=saveToFile&name=a.jpg'],
    ['/shoe?', '/shoe?req=saveToFile&name=a.jpg'],
    ['/shoe?wid=8', '/shoe?wid=8&req=saveToFile&name=a.jpg'],
    ['/shoe?wid=8&', '/shoe?wid=8&&req=saveToFile&name=a.jpg'],
    ['/shoe?wid=8#part', '/shoe?wid=8&req=saveToFile&name=a.jpg'],
    ['/a/../b//c?x=%2f%zz|"', '/a/../b//c?x=%2f%zz|"&req=saveToFile&name=a.jpg'],
    ['/schön?x=a b', '/sch%C3%B6n?x=a%20b&req=saveToFile&name=a.jpg'],
    // A part of a nested request is no part of the command.
    ['/x?src=is(a?req=img&name=b)&wid=3', '/x?src=is(a?req=img&name=b)&wid=3&req=saveToFile&name=a.jpg'],
    ['http://other', '/?req=saveToFile&name=a.jpg', 'http://other'],
    ['HTTP://other?x=1', '/?x=1&req=saveToFile&name=a.jpg', 'HTTP://other'],
    ['https://[::1]:8/x', '/x?req=saveToFile&name=a.jpg', 'https://[::1]:8'],
  ])('appends the command to %s and leaves its other bytes as they are', (url, path, origin = server) => {
    expect(createRequest({ url, name: 'a.jpg' }, server)).toMatchObject({ origin, path });
  });

  it.each(['a b/c+d&e=f#g%h.jpg', 'zwölf/(1){2}.png', "it's!*~.gif", '日本.webp'])(
    'encodes the name %s so that the server reads it again',
    (name) => {
      const command = parseCommand(pathOf('/x?src=is(a?wid=3', name));
      expect(command).toMatchObject({ name, rendererUrl: '/x?src=is(a?wid=3' });
    },
  );

  it('has the timeout of the job, or else that of the batch', () => {
    const read = (job: object): unknown =>
      prepareJob({ where: 'x', job: { url: '/x', name: 'a', ...job } }, { server, timeout: 7 });
    expect(read({})).toMatchObject({ timeout: 7, path: '/x?req=saveToFile&name=a&timeout=7' });
    expect(read({ timeout: 5 })).toMatchObject({ timeout: 5, path: '/x?req=saveToFile&name=a&timeout=5' });
  });

  it.each(['shoe', 'ftp://host/x', '', 'http://user:secret@host/x', 'http://ho st/x', 'http:///x'])(
    'refuses the URL %j',
    (url) => {
      expect(() => pathOf(url)).toThrow(/^its URL must/);
    },
  );

  it.each(['/x?req=img', '/x?a=1&NAME=b', '/x?n%61me=b', '/x?timeout=1'])(
    'refuses %s, which has a part of the command already',
    (url) => {
      expect(() => pathOf(url)).toThrow(/already/);
    },
  );
});
