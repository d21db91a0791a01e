import { checkBatchOptions, parseServer } from '../../../lib/batch/options.js';

it('has defaults for everything', () => {
  expect(checkBatchOptions()).toEqual({
    ...{ server: undefined, headers: {}, concurrency: 8, retries: 5 },
    ...{ timeout: undefined, ledger: undefined, signal: undefined },
  });
});

it('reads headers from lines and from an object, and keeps every value, in upper or lower case', () => {
  const read = (header: string[] | Record<string, string>): object => checkBatchOptions({ header }).headers;
  expect(read(['Authorization: Bearer a:b', 'X-Empty:'])).toEqual({
    Authorization: 'Bearer a:b',
    'X-Empty': '',
  });
  expect(read({ 'X-Y': 'z' })).toEqual({ 'X-Y': 'z' });
  expect(read(['X-A: 1', 'X-B: 2', 'x-a: 3', 'X-A: 4'])).toEqual({ 'X-A': ['1', '3', '4'], 'X-B': '2' });
  expect(() => read(['Host: a', 'host: b'])).toThrow(/one Host: leave the other out/);
});

it.each(['no colon', ': x', 'Bad Name: x', 'X: a\nb'])('refuses the header %j and shows one', (line) => {
  expect(() => checkBatchOptions({ header: [line] })).toThrow(/Authorization: Bearer/);
});

it.each<[string, object]>([
  ['concurrency', { concurrency: 0 }],
  ['concurrency', { concurrency: 1.5 }],
  ['retries', { retries: -1 }],
  ['timeout', { timeout: 0 }],
  ['ledger', { ledger: '' }],
  ['server', { server: 'localhost:3000' }],
  ['server', { server: 'http://host/path' }],
  ['shard', { shard: '5/4' }],
  ['shard', { shard: '0/4' }],
  ['signal', { signal: {} }],
  ['header', { header: 'X: y' }],
  ['header', { header: [3] }],
  ['header', { header: new Headers({ X: 'y' }) }],
  ['conncurrency', { conncurrency: 3 }],
])('refuses a wrong %s by its name', (name, options) => {
  expect(() => checkBatchOptions(options)).toThrow(new RegExp(`"${name}"`));
});

it.each([
  ['http://host', 'http://host'],
  ['HTTPS://host:8443/', 'HTTPS://host:8443'],
  ['http://[::1]:3000', 'http://[::1]:3000'],
  ['http://user:secret@host', undefined],
  ['http://host:99999', undefined],
  ['http://', undefined],
  ['//host', undefined],
])('takes the server %s for %s', (text, origin) => {
  expect(parseServer(text)).toBe(origin);
});
