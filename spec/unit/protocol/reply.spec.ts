// Writing and reading the reply: the properties text that tells a client the outcome.
import { getProperties } from 'properties-file';
import { SaveError, isRetryable } from '../../../lib/errors.js';
import { parseReply } from '../../../lib/protocol/parse-reply.js';
import { createReply, formatReply, type SaveFailure, type SaveSuccess } from '../../../lib/protocol/reply.js';
import { ERROR_CODES } from '../../support/refusal.js';

const NOW = new Date(Date.UTC(2026, 10, 22, 13, 28, 5));

const done = (changes: Partial<SaveSuccess> = {}): SaveSuccess => ({
  status: 'done',
  name: 'shoes/red.png',
  info: { format: 'png', type: 'image/png', width: 400, height: 300, pages: 2, pixels: 240_000 },
  length: 12_345,
  lastUpdated: 1_279_669_591_000,
  ...changes,
});

const failed = (message = 'Choose another name.', changes: Partial<SaveFailure> = {}): SaveFailure => ({
  status: 'failed',
  error: new SaveError('file-exists', message, new Error('/srv/secret')),
  ...changes,
});

const TIME = '#Sun Nov 22 13:28:05 UTC 2026';

test.each<[string, Parameters<typeof formatReply>[0], string[]]>([
  [
    'done',
    done(),
    [
      '#S7Z OK',
      TIME,
      'status=done',
      'lastUpdated=1279669591000',
      'pixelsTotal=240000',
      'name=shoes/red.png',
      'image.width=400',
      'image.height=300',
      'image.type=image/png',
      'image.length=12345',
    ],
  ],
  [
    'failed',
    failed(),
    ['#S7Z ERROR', TIME, 'status=failed', 'error.code=file-exists', 'error.message=Choose another name.'],
  ],
  [
    'timeout',
    { status: 'timeout', error: new SaveError('timeout', 'The image was not saved within 5 ms.') },
    [
      '#S7Z ERROR',
      TIME,
      'status=timeout',
      'error.code=timeout',
      'error.message=The image was not saved within 5 ms.',
      'error.retry=true',
    ],
  ],
])('the reply of a save that is %s has this text, without the cause', (_status, outcome, lines) => {
  expect(formatReply(outcome, NOW)).toBe(`${lines.join('\n')}\n`);
});

it('ends with the URL of an image, in ASCII, where the operator names one', () => {
  const url = 'https://bilder.example/größe/a%20b.png?v=1';
  const text = formatReply(done({ url }), NOW);
  const line = String.raw`url=https\://bilder.example/gr\u00f6\u00dfe/a%20b.png?v\=1`;
  expect(text).toBe(`${formatReply(done({ url: undefined }), NOW)}${line}\n`);
  expect(parseReply(text).url).toBe(url);
});

test.each(ERROR_CODES)('a reply carries the code %s', (code) => {
  const text = formatReply({ status: 'failed', error: new SaveError(code, 'Why.') }, NOW);
  expect(parseReply(text).error).toEqual({ code, message: 'Why.', retry: isRetryable(code) });
});

describe('lastUpdated', () => {
  test.each([
    [Date.UTC(2010, 6, 20, 16, 46, 31), 'Tue Jul 20 16:46:31 UTC 2010'],
    [Date.UTC(2026, 0, 1), 'Thu Jan 01 00:00:00 UTC 2026'],
    [Date.UTC(2024, 1, 29, 23, 59, 59, 999), 'Thu Feb 29 23:59:59 UTC 2024'],
    [Date.UTC(2027, 11, 31, 9, 8, 7), 'Fri Dec 31 09:08:07 UTC 2027'],
    [0, 'Thu Jan 01 00:00:00 UTC 1970'],
  ])('is written as java.util.Date prints it: %i is %s', (time, expected) => {
    expect(formatReply(done(), new Date(time)).split('\n')[1]).toBe(`#${expected}`);
  });

  it('has every month and every day of the week by its English name', () => {
    for (let day = 0; day < 366; day++) {
      const date = new Date(Date.UTC(2026, 0, 1 + day, 12));
      const part = (option: Intl.DateTimeFormatOptions): string =>
        date.toLocaleString('en-US', { timeZone: 'UTC', ...option });
      const [weekday, month] = [part({ weekday: 'short' }), part({ month: 'short' })];
      const dayOfMonth = part({ day: 'numeric' }).padStart(2, '0');
      const expected = `#${weekday} ${month} ${dayOfMonth} 12:00:00 UTC ${date.getUTCFullYear()}`;
      expect(formatReply(done(), date).split('\n')[1]).toBe(expected);
    }
  });
});

describe('a value', () => {
  test.each([
    ['a=b', 'a\\=b'],
    ['a:b', 'a\\:b'],
    ['#a!b', '\\#a\\!b'],
    ['a b', 'a b'],
    [' a b ', '\\ a b '],
    ['a\nb', 'a\\nb'],
    ['a\r\nb', 'a\\r\\nb'],
    ['a\tb', 'a\\tb'],
    ['a\\b', 'a\\\\b'],
    ['a\\nb', 'a\\\\nb'],
    ['caf\u00e9', 'caf\\u00e9'],
    ['\u0000\u0007\u007f\u0080', '\\u0000\\u0007\\u007f\\u0080'],
    ['\u20ac', '\\u20ac'],
    ['\u{1f45f}', '\\ud83d\\udc5f'],
    ['\u2028\u2029\ufeff\u00a0', '\\u2028\\u2029\\ufeff\\u00a0'],
    ['\ud83d', '\\ud83d'],
    ['', ''],
  ])('encodes %j as %s', (text, written) => {
    expect(formatReply(done({ name: text }), NOW)).toContain(`\nname=${written}\n`);
    expect(formatReply(failed(text), NOW)).toContain(`\nerror.message=${written}\n`);
  });

  it('is ASCII on the wire, is read back unchanged and cannot become a property of its own', () => {
    let all = '';
    for (let unit = 0; unit <= 0xffff; unit++) all += String.fromCharCode(unit);
    const texts = [
      all,
      ' \t\f leading',
      'trailing \\',
      'a=b:c#d!e',
      '\u{10ffff}\u{10000}',
      '\n\n',
      '\\u0041',
      '%41',
      'x\nstatus=done\rstatus=done\u2028status=done\\\nstatus=done',
    ];
    const keysOf = (written: string): string[] => Object.keys(getProperties(written));
    for (const text of texts) {
      for (const outcome of [(name: string) => done({ name }), failed]) {
        const written = formatReply(outcome(text), NOW);
        expect(written).toMatch(/^[\n\x20-\x7e]*$/);
        const properties = getProperties(written);
        expect((properties['name'] ?? properties['error.message']) === text).toBe(true);
        expect([properties['status'], keysOf(written)]).toEqual([
          outcome('').status,
          keysOf(formatReply(outcome('x'), NOW)),
        ]);
      }
    }
  });
});

describe('parseReply', () => {
  it('reads the reply to a done save', () => {
    const text = formatReply(done({ name: 'caf\u00e9/\u{1f45f}.png' }), NOW);
    expect(parseReply(text)).toEqual({
      status: 'done',
      lastUpdated: 1_279_669_591_000,
      pixelsTotal: 240_000,
      name: 'caf\u00e9/\u{1f45f}.png',
      image: { width: 400, height: 300, type: 'image/png', length: 12_345 },
      properties: getProperties(text),
    });
  });

  it('reads the reply to a failed save', () => {
    const text = formatReply(failed('No: "a=b"\n\u00e9'), NOW);
    expect(parseReply(text)).toEqual({
      status: 'failed',
      error: { code: 'file-exists', message: 'No: "a=b"\n\u00e9', retry: false },
      properties: getProperties(text),
    });
  });

  it('reads a reply of Image Serving', () => {
    const lines = [
      '#S7Z OK',
      '#Tue Jul 20 16:46:31 PDT 2010',
      'lastUpdated=1279669591000',
      'status=done',
      'pixelsTotal=160000',
    ];
    const expected = {
      status: 'done',
      lastUpdated: 1_279_669_591_000,
      pixelsTotal: 160_000,
      properties: { lastUpdated: '1279669591000', status: 'done', pixelsTotal: '160000' },
    };
    for (const end of ['\n', '\r\n']) {
      expect(parseReply(lines.join(end))).toEqual(expected);
      expect(parseReply(lines.join(end) + end)).toEqual(expected);
    }
  });

  test.each<[string, object]>([
    ['failed', { code: 'failed' }],
    ['timeout', { code: 'timeout' }],
    ['failed\nerror.code=new-one', { code: 'new-one' }],
    [
      'failed\nerror.code=renderer-status\nerror.rendererStatus=503',
      { code: 'renderer-status', rendererStatus: 503 },
    ],
  ])('reads an error that lacks a message or a code: status=%j', (text, expected) => {
    const reply = parseReply(`#S7Z ERROR\nstatus=${text}\n`);
    // The status tells the members of the union apart.
    const error = reply.status === 'done' ? undefined : reply.error;
    expect(error).toEqual({ message: '', retry: false, ...expected });
    expect(reply.properties).toEqual(getProperties(`status=${text}`));
  });

  test.each(['1e400', '1e3', '0x10', '-1', '1.5', ' 1', '', '99999999999999999', 'NaN'])(
    'takes no other number than a whole one in digits: %j',
    (value) => {
      const reply = parseReply(`status=done\nlastUpdated=${value.replace(' ', '\\ ')}\npixelsTotal=12`);
      expect(reply).not.toHaveProperty('lastUpdated');
      expect(reply.pixelsTotal).toBe(12);
    },
  );

  test.each([
    ['nothing', ''],
    ['a page', '<!doctype html><html><body class="x">Not Found</body></html>'],
    ['JSON', '{"status":"done"}'],
    ['another status', 'status=pending'],
    ['another case', 'STATUS=done'],
    ['a reply without a status', '#S7Z OK\nlastUpdated=1\n'],
    ['a path of Windows', 'Cannot open C:\\users\\me'],
    ['an escape that is none', 'a=\\u12'],
    ['the bytes of an image', '\u0089PNG\r\n\u001a\n\u0000\u0000\u0000\rIHDR\\u'],
  ])('throws a TypeError that explains the fault of %s', (_what, text) => {
    expect(() => parseReply(text)).toThrow(TypeError);
    expect(() => parseReply(text)).toThrow('req=saveToFile');
  });
});

test.each([
  ['done', done(), 200],
  ['failed', failed(), 403],
  ['timeout', { status: 'timeout', error: new SaveError('timeout', 'Too late.') }, 403],
] as const)(
  'createReply makes a reply of a save that is %s, with the time of now',
  (status, outcome, expected) => {
    const reply = createReply(outcome);
    expect(reply.status).toBe(expected);
    expect(reply.headers).toEqual({
      'Content-Type': 'text/plain',
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
      'Content-Length': String(reply.text.length),
    });
    expect(parseReply(reply.text).status).toBe(status);
    const [, time = ''] = reply.text.split('\n');
    const sent = Date.parse(`${time.slice(1).replace('UTC ', '')} UTC`);
    expect(Math.abs(Date.now() - sent)).toBeLessThan(60_000);
  },
);
