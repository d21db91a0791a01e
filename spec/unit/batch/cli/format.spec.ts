import {
  formatBytes,
  formatCount,
  formatDuration,
  formatRate,
  plural,
  printable,
  quote,
} from '../../../../lib/batch/cli/format.js';

it('shows numbers with their units', () => {
  expect([0, 999, 1234567].map(formatCount)).toEqual(['0', '999', '1,234,567']);
  expect([0, 999, 1000, 12_345, 999_600, 5e9].map(formatBytes)).toEqual([
    ...['0 bytes', '999 bytes', '1.00 kB', '12.3 kB', '1.00 MB', '5.00 GB'],
  ]);
  expect([0.123, 9.99, 12.34, 123.4, 1234].map(formatRate)).toEqual([
    '0.12/s',
    '9.99/s',
    '12.3/s',
    '123/s',
    '1,234/s',
  ]);
  expect([0, 400, 9949, 10_000, 200_000, 7_500_000].map(formatDuration)).toEqual([
    ...['0.0 s', '0.4 s', '9.9 s', '10 s', '3 min 20 s', '2 h 5 min'],
  ]);
  expect([plural(1, 'job'), plural(1000, 'job')]).toEqual(['1 job', '1,000 jobs']);
});

it('quotes what a shell would change', () => {
  expect(['--a=b', 'x.txt', '{p}.jpg', "it's", ''].map((each) => quote(each, 'linux'))).toEqual([
    ...['--a=b', 'x.txt', "'{p}.jpg'", String.raw`'it'\''s'`, "''"],
  ]);
});

it('shows nothing that steers a terminal', () => {
  expect(printable('a\u001b[2Jb\r\n\u009b\u202ec')).toBe('a\uFFFD[2Jb\uFFFD\uFFFD\uFFFD\uFFFDc');
  expect(printable('schön 日本')).toBe('schön 日本');
});

it('quotes for cmd on Windows', () => {
  expect(quote('/a?b=1&c=$x$ "y"', 'win32')).toBe(String.raw`"/a?b=1&c=$x$ \"y\""`);
});
