// A response while captured, after restore, and closed to late code.
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { captureResponse, protectReply, restoreResponse } from '../../../lib/capture/response-capture.js';
import type { CaptureState } from '../../../lib/capture/state.js';
import { get } from '../../support/client.js';
import { createDeferred } from '../../support/deferred.js';
import { start, stopAll } from '../../support/host.js';

let req: IncomingMessage;
let res: ServerResponse;
let answer: Promise<string>;
let aborts: (Error | null)[];

/** Everything about a response that can be observed from outside. */
// The state that a late renderer needs is stored under a symbol and is not compared.
const snapshot = (): unknown =>
  Reflect.ownKeys(res)
    .filter((key) => String(key) !== 'Symbol(capture)')
    .map((key) => [String(key), Object.getOwnPropertyDescriptor(res, key)] as const)
    .filter(([, descriptor]) => descriptor?.value !== undefined)
    .sort(([a], [b]) => a.localeCompare(b));

beforeEach(async () => {
  aborts = [];
  const arrived = createDeferred();
  const { url } = await start(
    [
      (...given) => {
        [req, res] = given;
        arrived.resolve();
      },
    ],
    'http.createServer',
  );
  answer = get(url).then(
    ({ status, headers, body }) => `${status} ${JSON.stringify(headers)} ${body.toString()}`,
  );
  await arrived.promise;
});
afterEach(async () => {
  res.destroy();
  await stopAll();
  await answer.catch(() => undefined);
});

const capture = (): CaptureState => captureResponse(req, res, (error) => aborts.push(error));

test('restores the response after every kind of change', async () => {
  res.setHeader('X-Before', 'b');
  const wrapped = res.end.bind(res);
  res.end = wrapped;
  res.on('finish', () => undefined);
  const listeners = res.listenerCount('finish');
  const before = snapshot();
  const held = capture();
  res.statusCode = 418;
  res.removeHeader('X-Before');
  res.on('finish', () => undefined);
  res.end = (() => res) as typeof res.end;
  res.writeHead(200, { 'X-After': 'a' });
  res.write('x');
  await held.body.endReading();
  restoreResponse(held);
  restoreResponse(held);
  expect(snapshot()).toEqual(before);
  expect(res.getHeaders()).toEqual({ 'x-before': 'b' });
  expect(res.listenerCount('finish')).toBe(listeners);
});

test.each(['preventExtensions', 'seal'] as const)(
  'refuses a response after Object.%s, and leaves it as it is',
  (fix) => {
    Object[fix](res);
    const before = snapshot();
    expect(capture).toThrow('fixed the response');
    expect(snapshot()).toEqual(before);
  },
);

test('closes a response whose request is sealed', () => {
  Object.seal(req);
  const held = capture();
  restoreResponse(held);
  protectReply(held);
  expect(req.socket).toBe(held.socket);
});

test('reports the rendered head as soon as it is fixed', async () => {
  const held = capture();
  res.setHeader('Content-Encoding', ['gzip', 'br']);
  res.writeHead(201, 'Made', ['Content-Length', '5']);
  expect(await held.head).toEqual({ status: 201, contentLength: '5', contentEncoding: 'gzip,br' });
});

test('reports that the renderer aborted, with the error', () => {
  capture();
  const error = new Error('mid');
  res.destroy(error);
  expect(aborts).toEqual([error]);
});

test.each([
  ['is destroyed after an aborted response', () => undefined, true],
  ['is open after a finished response', () => res.end('x'), false],
])('shows a late renderer that first looks now a socket that %s', async (_name, reply, down) => {
  const held = capture();
  expect(req.socket.destroyed).toBe(false);
  reply();
  await held.body.endReading();
  // Before the null socket exists, then after.
  expect(req.socket.destroyed).toBe(down);
  expect(req.socket.writable).toBe(!down);
  expect(req.socket.destroyed).toBe(down);
});

test('emits its events through an emit that later middleware has wrapped, as cls-hooked does', async () => {
  const held = capture();
  const [emit, seen] = [res.emit.bind(res), [] as unknown[]];
  res.emit = (...given: Parameters<typeof emit>) => seen.push(given[0]) > 0 && emit(...given);
  for (const event of ['finish', 'close']) res.once(event, () => seen.push(`on ${event}`));
  res.end('x');
  await held.body.endReading();
  expect(seen).toEqual(expect.arrayContaining(['finish', 'on finish', 'close', 'on close']));
});

test('calls the renderer’s listeners once, also after restore', async () => {
  const emitted: unknown[] = [];
  const held = capture();
  res.on('close', function (this: unknown) {
    emitted.push(['renderer', this === res]);
  });
  restoreResponse(held);
  res.on('close', () => emitted.push('before'));
  await held.body.endReading();
  expect(emitted).toEqual([['renderer', true]]);
});

test('lets no late call change the reply, and shows earlier listeners its real state', async () => {
  const emitted: unknown[] = [];
  res.on('finish', () =>
    emitted.push([res.statusCode, res.writableFinished, res.writableEnded, res.getHeader('x')]),
  );
  const closed = once(res, 'close');
  const held = capture();
  await held.body.endReading();
  restoreResponse(held);
  res.setHeader('X', 'ours');
  res.writeHead(403);
  res.end('ours');
  protectReply(held);
  res.statusCode = 200;
  res.statusMessage = 'OK';
  res.setHeader('X', 'late');
  res.setHeaders(new Map([['X', 'late']]));
  res.writeHead(200, { X: 'late' });
  res.flushHeaders();
  expect(res.write('late')).toBe(false);
  res.end('late');
  res.destroy();
  await closed;
  expect(emitted).toEqual([[403, true, true, 'ours']]);
  expect(await answer).toMatch(/^403 .*"x":"ours".* ours$/);
  expect(res.statusCode).toBe(403);
});

test('passes what late code emits to the listeners of the renderer, and Node’s events to earlier ones', async () => {
  const heard: string[] = [];
  res.on('finish', () => heard.push('finish: earlier'));
  const held = capture();
  for (const event of ['progress', 'finish']) res.on(event, () => heard.push(`${event}: renderer`));
  res.once('close', () => heard.push('close: renderer'));
  const released = held.body.endReading();
  restoreResponse(held);
  res.end('ours');
  protectReply(held);
  res.on('progress', () => heard.push('progress: late'));
  res.on('close', () => heard.push('close: late'));
  expect(res.emit('progress')).toBe(true);
  await Promise.all([released, answer]);
  expect(heard.sort()).toEqual([
    'close: late',
    'close: renderer',
    'finish: earlier',
    'progress: late',
    'progress: renderer',
  ]);
});

test('emits close to listeners added after close', async () => {
  const held = capture();
  await held.body.endReading();
  restoreResponse(held);
  res.end('ours');
  protectReply(held);
  await once(res, 'close');
  const removed = jest.fn();
  res.on('close', removed).off('close', removed);
  await once(res, 'close');
  expect([res.writableFinished, removed.mock.calls]).toEqual([false, []]);
});
