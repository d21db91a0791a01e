import { Readable } from 'node:stream';
import { openCsv, readJobLines } from '../../../../lib/batch/jobs/open-jobs.js';
import { openText, type TextSource } from '../../../../lib/batch/text.js';
import { InvalidJob, type Entries, type JobEntry } from '../../../../lib/batch/types.js';

/** Opens a text that comes in small pieces, as a pipe may have it. */
async function open(text: string | Buffer, name: string): Promise<TextSource> {
  const bytes = Buffer.from(text as string);
  const size = bytes.length > 10_000 ? bytes.length : 7;
  const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
    bytes.subarray(size * at, size * at + size),
  );
  return { ...(await openText('-', Readable.from(chunks))), name };
}

async function collect(list: Entries): Promise<JobEntry[]> {
  const entries: JobEntry[] = [];
  for await (const entry of list) entries.push(entry);
  return entries;
}

describe('a list with a job in each line', () => {
  const read = async (text: string | Buffer): Promise<unknown[]> =>
    collect(readJobLines(await open(text, 'jobs.txt')));

  it('reads a URL and a name, which may hold spaces, and JSON, between empty lines and comments', async () => {
    const json = '{"url": "/a b", "name": "a.jpg", "timeout": 5}';
    expect(await read(`# list\n\n  \n/a?x=1 a.jpg\n  # more\n  /b \t b c.jpg  \r\n${json}`)).toEqual([
      { where: 'jobs.txt:4', job: { url: '/a?x=1', name: 'a.jpg' } },
      { where: 'jobs.txt:6', job: { url: '/b', name: 'b c.jpg' } },
      { where: 'jobs.txt:7', job: { url: '/a b', name: 'a.jpg', timeout: 5 } },
    ]);
  });

  it.each([
    ['/only-a-url', /no name behind the URL/],
    ['{"url": "/a",', /not JSON/],
    ['x'.repeat(1_100_000), /longer than/],
    ['/a caf\xe9.png', /not UTF-8.*iconv/],
  ])('reports a line that is no job, with its number (%#)', async (line, reason) => {
    expect(await read(Buffer.from(`/a a.jpg\n${line}\n/b b.jpg`, 'latin1'))).toMatchObject([
      { job: { name: 'a.jpg' } },
      { where: 'jobs.txt:2', job: { message: expect.stringMatching(reason) as string } },
      { job: { name: 'b.jpg' } },
    ]);
  });
});

describe('a table', () => {
  async function read(text: string): Promise<unknown[]> {
    const { entries } = await openCsv(await open(text, 'pim.csv'));
    return (await collect(entries)).map(({ where, job }) =>
      job instanceof InvalidJob ? `${where}: ${job.message}` : job,
    );
  }

  it.each([
    ['commas', 'sku,width\nA,320\n'],
    ['semicolons', 'sku;width\r\nA;320\r\n'],
    ['tabs', 'sku\twidth\nA\t320'],
    ['a byte order mark', '\ufeffsku;width\nA;320'],
    ['quotes', '"sku","width"\r\n"A","320"\r\n'],
    ['the delimiter that Excel names in a line of its own', '\ufeffsep=|\r\nsku|width\r\nA|320\r\n'],
    ['such a line in quotes', '"sep=;"\nsku;width\nA;320'],
    ['delimiters of other kinds in quotes', '"sku";"width"\n"A";"320"'],
    ['empty lines, and rows of delimiters', '\n;\nsku;width\n\n ; \nA;320\n\n;\n'],
  ])('reads %s', async (_what, text) => {
    expect(await read(text)).toEqual([{ sku: 'A', width: '320' }]);
  });

  it('reads what RFC 4180 allows in quotes', async () => {
    expect(await read('a,b\n"x, ""y""","1\r\n2"\n,ü\n')).toEqual([
      { a: 'x, "y"', b: '1\n2' },
      { a: '', b: 'ü' },
    ]);
  });

  it('names a row with too many or too few fields by the line where it begins', async () => {
    expect(await read('a,b\r\n"x\r\ny",1\r\n\r\n1\r\n"2\r\n",3,4\r\n5,6')).toEqual([
      { a: 'x\ny', b: '1' },
      'pim.csv:5: it has 1 fields instead of 2, which the first row has',
      'pim.csv:6: it has 3 fields instead of 2, which the first row has',
      { a: '5', b: '6' },
    ]);
  });

  it('takes a column timeout for that of the job', async () => {
    expect(await read('a,timeout\nx,5000\ny,\n')).toEqual([{ a: 'x', timeout: 5000 }, { a: 'y' }]);
  });

  it.each([
    ['sku,width,sku\nA,1,2\n', /has two columns "sku"/],
    ['sku;gr\ufffd\ufffde\nA;1\n', /first row: it is not UTF-8: convert/],
    ['', /is empty. Its first row names the columns/],
    ['a,b\n1,2\n3,"4\n5,6\n', /from line 3 on, a quote that is never closed/],
    ['a,"b\n1,2\n', /from line 1 on, a quote that is never closed/],
  ])('refuses %j and names the fix', async (text, message) => {
    await expect(read(text)).rejects.toThrow(message);
  });
});
