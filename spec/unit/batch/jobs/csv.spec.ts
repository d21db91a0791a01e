import { Readable } from 'node:stream';
import { openCsv } from '../../../../lib/batch/jobs/csv.js';
import { openText } from '../../../../lib/batch/text.js';
import { InvalidJob } from '../../../../lib/batch/types.js';

async function read(text: string): Promise<unknown[]> {
  const bytes = Buffer.from(text);
  const chunks = Array.from({ length: Math.ceil(bytes.length / 7) }, (_, at) =>
    bytes.subarray(7 * at, 7 * at + 7),
  );
  const source = { ...(await openText('-', Readable.from(chunks))), name: 'pim.csv' };
  const { entries } = await openCsv(source);
  const found: unknown[] = [];
  for await (const record of entries)
    found.push(record instanceof InvalidJob ? `${record.where}: ${record.reason}` : record.job);
  return found;
}

it.each([
  ['commas', 'sku,width\nA,320\n'],
  ['semicolons', 'sku;width\r\nA;320\r\n'],
  ['tabs', 'sku\twidth\nA\t320'],
  ['a byte order mark', '\ufeffsku;width\nA;320'],
  ['quotes', '"sku","width"\r\n"A","320"\r\n'],
  ['delimiters of other kinds in quotes', '"sku";"width"\n"A";"320"'],
  ['empty lines', '\nsku,width\n\n\nA,320\n\n'],
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
  ['', /is empty. Its first row names the columns/],
  ['a,b\n1,2\n3,"4\n5,6\n', /a quote behind line 2 that is never closed/],
])('refuses %j and names the fix', async (text, message) => {
  await expect(read(text)).rejects.toThrow(message);
});
