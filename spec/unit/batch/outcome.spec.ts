import {
  parseRetryAfter,
  readConnectionError,
  readResponse,
  type Outcome,
} from '../../../lib/batch/outcome.js';
import { DONE, formatBody } from '../../support/reply-server.js';

/** The outcome, and its result, in one object. */
function read(
  statusCode: number,
  text: string,
  headers: Record<string, string> = {},
): Omit<Outcome, 'result'> & Outcome['result'] {
  const head = { statusCode, headers: { 'content-type': 'text/plain', ...headers } };
  const { result, ...outcome } = readResponse(head, text);
  return { ...outcome, ...result };
}

it('reads the bytes and the pixels of a reply; that of Image Serving has neither', () => {
  expect(read(200, DONE)).toEqual({ status: 'done', bytes: 100, pixels: 12 });
  const text = formatBody('OK', { status: 'done', lastUpdated: 1_795_356_683_202 });
  expect(read(200, text)).toEqual({ status: 'done' });
});

it.each(['failed', 'timeout'])('does not try again after status=%s of Image Serving', (status) => {
  const outcome = { status: 'failed', code: status, retry: false };
  expect(read(403, formatBody('ERROR', { status }))).toMatchObject(outcome);
});

it('tries again after error.retry=true, and passes the code and the message on', () => {
  const text = formatBody('ERROR', {
    ...{ status: 'timeout', 'error.code': 'timeout', 'error.message': 'Try again.', 'error.retry': 'true' },
  });
  expect(read(403, text)).toMatchObject({
    code: 'timeout',
    message: 'Try again.',
    retry: true,
    isBusy: false,
  });
});

it.each<[status: number, retry?: boolean, isBusy?: boolean]>([
  ...[301, 400, 401, 403, 404, 407, 414, 500, 501].map((status): [number] => [status]),
  [429, true, true],
  [502, true],
  [503, true, true],
  [504, true],
])('after status %s, whatever the body is, tries again: %s; sends less: %s', (...row) => {
  const [status, retry = false, isBusy = false] = row;
  const outcome = read(status, '<html>');
  const code = `http-${status}`;
  expect(outcome).toMatchObject({ status: 'failed', code, retry, isBusy, isRateLimit: false });
  expect(outcome.message).toMatch(/\.$/);
});

it('pauses for a rate limit that says how long, and not for one save that is refused', () => {
  const busy = formatBody('ERROR', { status: 'failed', 'error.code': 'too-busy', 'error.retry': 'true' });
  expect(read(429, '', { 'retry-after': '2' })).toMatchObject({ isRateLimit: true, retryAfter: 2000 });
  expect(read(403, busy, { 'retry-after': '2' })).toMatchObject({
    ...{ isBusy: true, isRateLimit: false, retryAfter: 2000, retry: true },
  });
});

it('takes an overloaded renderer for an overloaded server', () => {
  const properties = { status: 'failed', 'error.code': 'renderer-status', 'error.retry': 'true' };
  const text = formatBody('ERROR', { ...properties, 'error.rendererStatus': 503 });
  expect(read(403, text, { 'retry-after': '2' })).toMatchObject({
    ...{ rendererStatus: 503, retry: true, isBusy: true, isRateLimit: true, retryAfter: 2000 },
  });
});

it('does not take an image for a reply, whatever bytes it has', () => {
  expect(read(200, DONE, { 'content-type': 'image/png' })).toMatchObject({
    code: 'not-a-reply',
    retry: false,
  });
  expect(read(200, 'hello')).toMatchObject({ code: 'not-a-reply' });
});

it('names the place that a server redirects to', () => {
  expect(read(301, '', { location: 'https://host/' }).message).toContain('https://host/');
});

it.each([
  ['3', 3000],
  ['0', 0],
  ['Tue, 24 Nov 2026 20:00:10 GMT', 10_000],
  ['Tue, 24 Nov 2026 19:00:00 GMT', 0],
  ['99999', 3_600_000],
  ['soon', undefined],
  [undefined, undefined],
])('reads Retry-After: %s', (header, milliseconds) => {
  expect(parseRetryAfter(header, Date.parse('2026-11-24T20:00:00Z'))).toBe(milliseconds);
});

it.each([
  ['ECONNREFUSED', 'connection-refused', true],
  ['ENOTFOUND', 'host-not-found', true],
  ['ETIMEDOUT', 'host-unreachable', true],
  ['ECONNRESET', 'connection-broken', true],
  ['HPE_INVALID_CONSTANT', 'connection-broken', true],
  ['NO_REPLY', 'no-reply', true],
  ['EMFILE', 'too-many-connections', true],
  ['EPROTO', 'tls-failed', false],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'tls-failed', false],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'tls-failed', false],
])('turns %s into %s', (error, code, retry) => {
  const outcome = readConnectionError(Object.assign(new Error('x'), { code: error }), 'http://host');
  expect(outcome).toMatchObject({ result: { status: 'failed', code }, retry, isUnanswered: true });
  if (code !== 'too-many-connections') expect(outcome.result.message).toMatch(/http:\/\/host .*\.$/);
});
