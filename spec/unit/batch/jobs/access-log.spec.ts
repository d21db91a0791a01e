import { Readable } from 'node:stream';
import {
  describeCounts,
  readAccessLog,
  type AccessLogOptions,
  type LogCounts,
} from '../../../../lib/batch/jobs/access-log.js';
import { InvalidJob } from '../../../../lib/batch/types.js';

async function read(
  lines: readonly string[],
  name: string | undefined = '{path}-{hash}.jpg',
  more: Partial<AccessLogOptions> = {},
): Promise<string[]> {
  const source = {
    name: 'access.log',
    isFile: true,
    read: () => Readable.from([lines.join('\n')]) as AsyncIterable<string>,
  };
  const found: string[] = [];
  counts = new Map();
  const options = { name, column: undefined, under: '', ...more };
  for await (const { where, job } of readAccessLog(source, options, counts)) {
    if (job instanceof InvalidJob) found.push(`${where}: ${job.message}`);
    else found.push(Object.values(job as object).join(' '));
  }
  return found;
}

let counts: LogCounts;

const common = (request: string): string =>
  `127.0.0.1 - frank doe [10/Oct/2026:13:55:36 -0700] "${request}" 200 2326`;
const get = (url: string): string => common(`GET ${url} HTTP/1.1`);

it.each<[string, string[], string, string[], Partial<AccessLogOptions>?]>([
  [
    'each URL of a GET request once',
    [get('/a?wid=1'), get('/b?wid=1'), get('/a?wid=1'), get('/a?wid=2')],
    '{path}-{wid}.jpg',
    ['/a?wid=1 a-1.jpg', '/b?wid=1 b-1.jpg', '/a?wid=2 a-2.jpg'],
  ],
  [
    'the combined format',
    [`${get('/cat/shoe?wid=1')} "https://shop/page?x=[1]" "Mozilla/5.0 (\\"x\\")"`],
    '{file}.jpg',
    ['/cat/shoe?wid=1 shoe.jpg'],
  ],
  ['no host, as proxies log it', [get('http://host:80/a?x=1#y')], '{n}.jpg', ['/a?x=1 1.jpg']],
  [
    'a plus sign of the path as it is, and that of a parameter as a space',
    [get('/a+b/c+d%2Be?x=f+g')],
    '{path}_{file}_{x}',
    ['/a+b/c+d%2Be?x=f+g a+b/c+d+e_c+d+e_f g'],
  ],
  [
    'the bytes above 7F that nginx and Apache write with a backslash',
    [get('/caf\\xC3\\xA9/\\x22a?x=\\"1')],
    '{path}.jpg',
    ['/caf%C3%A9/"a?x="1 café/"a.jpg'],
  ],
  [
    'only what is below a path',
    [get('/is/image/a'), get('/is/other'), get('/')],
    '{n}',
    ['/is/image/a 1'],
    { under: '/is/image/' },
  ],
  [
    'the URL in a column of a log of another format',
    ['#fields', 'now /a?x=1 200', 'now "/b" 200', 'now - 200'],
    '{file}',
    ['/a?x=1 a', '/b b'],
    { column: 2 },
  ],
  [
    // The hash of a URL is the same each time.
    'images named by path, file, number, hash and parameters, decoded',
    [get('/is/caf%C3%A9/shoe?Wid=8&x=a+b'), get('/a?wid=9&x=1')],
    '{path}_{file}_{n}_{wid}_{x}_{hash}',
    [
      '/is/caf%C3%A9/shoe?Wid=8&x=a+b is/café/shoe_shoe_1_8_a b_65d170cdeb7272cf',
      '/a?wid=9&x=1 a_a_2_9_1_11f3a6bee806a96e',
    ],
  ],
  [
    'no URL that lacks what its name needs',
    [get('/a?wid=1'), get('/a?hei=1')],
    '{path}-{wid}',
    ['/a?wid=1 a-1', 'access.log:2: its URL has no wid=, which --name needs: /a?hei=1'],
  ],
])('takes %s', async (...row) => {
  const [, lines, name, jobs, more] = row;
  expect(await read(lines, name, more)).toEqual(jobs);
});

it('counts what is no GET of an image, and does not fail for it', async () => {
  const requests = ['', '-', '\\x16\\x03\\x01\\x00', 'POST /a HTTP/1.1', 'HEAD /a HTTP/1.1'].map(common);
  const lines = ['what is this', 'x'.repeat(1_100_000), get('/b').replace('" 200', '" 404'), ...requests];
  expect(await read([get('/a'), get('/a'), get('/a?req=saveToFile&name=x'), ...lines], '{file}')).toEqual([
    '/a a',
  ]);
  expect(describeCounts(counts)).toBe('1 taken, 1 repeated, 1 save commands, 8 other');
});

it.each([
  ['/a?fmt=png-alpha,rgb', 'a.png'],
  ['/a?fmt=JPEG', 'a.jpg'],
  ['/a?fmt=tiff', 'a.tif'],
  ['/a?wid=1', 'a.jpg'],
  ['/a.webp?wid=1', 'a.webp.webp'],
])('finds the extension for %s', async (url, name) => {
  expect(await read([get(url)], '{file}.{ext}')).toEqual([`${url} ${name}`]);
});

it.each([
  ['nginx, the whole request', { status: '200', request: 'GET /a?x=1 HTTP/1.1' }],
  ['nginx, its parts', { request_method: 'GET', request_uri: '/a?x=1', status: 200 }],
  ['nginx, its decoded path too', { request_method: 'GET', uri: '/a', request_uri: '/a?x=1' }],
  ['nginx, path and arguments', { method: 'GET', uri: '/a', args: 'x=1' }],
  ['Caddy', { level: 'info', status: 200, request: { method: 'GET', host: 'h', uri: '/a?x=1' } }],
])('reads JSON of %s', async (_what, line) => {
  expect(await read([JSON.stringify(line), '{"level":"info"}', '{"cut'], '{file}')).toEqual(['/a?x=1 a']);
});

it('takes the save commands with their names and timeouts, where it is asked to', async () => {
  const lines = [
    get('/a?wid=1&req=saveToFile&name=x%2Fy+z.jpg&timeout=5000&fmt=jpeg'),
    common('POST /b?req=savetofile,text&name=$v$.jpg HTTP/1.1'),
    get('/a?wid=1&req=saveToFile&name=x%2Fy+z.jpg&fmt=jpeg'),
    ...[
      get('/c?req=img&name=c'),
      get('/c?req=saveToFile'),
      get('/c?name=a&name=b&req=saveToFile'),
      get('/d'),
    ],
  ];
  expect(await read(lines, undefined, { name: undefined })).toEqual([
    ...['/a?wid=1&fmt=jpeg x/y z.jpg 5000', '/b $v$.jpg'],
  ]);
  expect(describeCounts(counts)).toBe('2 taken, 1 repeated, 1 images, 3 other');
});
