import { Readable } from 'node:stream';
import { readAccessLog } from '../../../../lib/batch/jobs/access-log.js';
import { InvalidJob } from '../../../../lib/batch/types.js';

async function read(
  lines: readonly string[],
  name = '{path}-{hash}.jpg',
  column?: number,
): Promise<string[]> {
  const source = {
    name: 'access.log',
    isFile: true,
    open: () => Readable.from([Buffer.from(lines.join('\n'))]),
  };
  const found: string[] = [];
  for await (const entry of readAccessLog(source, { name, column })) {
    if (entry instanceof InvalidJob) found.push(`${entry.where}: ${entry.reason}`);
    else found.push(Object.values(entry.job as object).join(' '));
  }
  return found;
}

const common = (request: string): string =>
  `127.0.0.1 - frank doe [10/Oct/2026:13:55:36 -0700] "${request}" 200 2326`;
const get = (url: string): string => common(`GET ${url} HTTP/1.1`);

it('takes each URL of a GET request once', async () => {
  const lines = [get('/a?wid=1'), get('/b?wid=1'), get('/a?wid=1'), get('/a?wid=2')];
  expect(await read(lines, '{path}-{wid}.jpg')).toEqual([
    ...['/a?wid=1 a-1.jpg', '/b?wid=1 b-1.jpg', '/a?wid=2 a-2.jpg'],
  ]);
});

it('reads the combined format', async () => {
  const line = `${get('/cat/shoe?wid=1')} "https://shop/page?x=[1]" "Mozilla/5.0 (\\"x\\")"`;
  expect(await read([line], '{file}.jpg')).toEqual(['/cat/shoe?wid=1 shoe.jpg']);
});

it('leaves out other methods, requests that could not be read, and requests with req= of their own', async () => {
  const requests = [
    'POST /a HTTP/1.1',
    'HEAD /a HTTP/1.1',
    '-',
    '\\x16\\x03\\x01',
    'GET /a?req=saveToFile&name=x HTTP/1.1',
  ];
  expect(await read(requests.map(common))).toEqual([]);
});

it('takes the host away from a URL that has one, as proxies log it', async () => {
  expect(await read([get('http://host:80/a?x=1#y')], '{n}.jpg')).toEqual(['/a?x=1 1.jpg']);
});

it('names images by path, file, number, hash and parameters, decoded', async () => {
  const [line = ''] = await read(
    [get('/is/caf%C3%A9/shoe?Wid=8&x=a+b')],
    '{path}_{file}_{n}_{wid}_{x}_{hash}',
  );
  expect(line).toMatch(/ is\/café\/shoe_shoe_1_8_a b_[0-9a-f]{12}$/);
});

it('keeps a plus sign of the path, which stands for a space in a parameter alone', async () => {
  expect(await read([get('/a+b/c+d%2Be?x=f+g')], '{path}_{file}_{x}')).toEqual([
    '/a+b/c+d%2Be?x=f+g a+b/c+d+e_c+d+e_f g',
  ]);
});

it('names different URLs differently by their hash, and a URL in the same way each time', async () => {
  const names = async (): Promise<string[]> => read([get('/a?x=1'), get('/a?x=2')], '{hash}');
  expect(await names()).toEqual(await names());
  expect(new Set(await names()).size).toBe(2);
});

it('reports a URL that lacks what its name needs, and one whose name is taken', async () => {
  expect(await read([get('/a?wid=1'), get('/a?hei=1'), get('/a?wid=1&x=2')], '{path}-{wid}')).toEqual([
    '/a?wid=1 a-1',
    'access.log:2: its URL has no wid=, which --name needs: /a?hei=1',
    'access.log:3: another URL has the name a-1 already: add {hash} to --name',
  ]);
});

it('reports a line of another format, and says which option to use', async () => {
  expect(await read([get('/a'), 'what is this', 'x'.repeat(1_100_000)])).toEqual([
    expect.stringMatching(/^\/a a-/),
    expect.stringMatching(/^access.log:2: .*--column/),
    expect.stringMatching(/^access.log:3: it is longer/),
  ]);
});

it('finds the URL in a column of a log of another format', async () => {
  expect(await read(['#fields', 'now /a?x=1 200', 'now "/b" 200', 'now - 200'], '{file}', 2)).toEqual([
    ...['/a?x=1 a', '/b b', 'access.log:4: its column 2 is no URL'],
  ]);
});
