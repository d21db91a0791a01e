// Unusual middleware before the save, and unusual renderers.
import { Agent, type ServerResponse } from 'node:http';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createGzip, gzipSync } from 'node:zlib';
import compression from 'compression';
import session from 'express-session';
import onHeaders from 'on-headers';
import { fsCalls } from '../../lib/temp-files/fs.js';
import { saveOf } from '../../lib/index.js';
import { get } from '../support/client.js';
import { eventually } from '../support/deferred.js';
import { list } from '../support/temp-dir.js';
import { hosts, type Handler, type Running } from '../support/host.js';
import { SAVE, useSaveFixture } from '../support/use-save-fixture.js';

const { image, folder, records, recorded, serve, save } = useSaveFixture();

/** Sends the command on a connection that the test can close. */
const send = ({ port }: Running): Socket =>
  connect(port, '127.0.0.1').on('connect', function (this: Socket) {
    this.write(`GET ${SAVE} HTTP/1.1\r\nHost: a\r\n\r\n`);
  });

/** Middleware that does something to the response, and goes on. */
const doing =
  (what: (res: ServerResponse) => unknown): Handler =>
  (_req, res, next) => {
    what(res);
    next();
  };

/** Replaces a method of the response by one that cannot be replaced again. */
const lock = (name: string): Handler =>
  doing((res) => {
    const before = Reflect.get(res, name) as (...given: unknown[]) => unknown;
    Object.defineProperty(res, name, {
      configurable: false,
      writable: false,
      value: (...given: unknown[]) => before.apply(res, given),
    });
  });

test.each(Object.keys(hosts))('in %s, rewrites a stored req.query that is not configurable', async (host) => {
  let seen: unknown;
  // The usual way to make it writable in Express 5.
  const store: Handler = (req, _res, next) => {
    const value = { wid: '8', req: 'saveToFile', name: 'x.jpg' };
    Object.defineProperty(req, 'query', {
      ...Object.getOwnPropertyDescriptor(req, 'query'),
      value,
      writable: true,
    });
    next();
  };
  const renderer: Handler = (req, res) => {
    seen = (req as { query?: unknown }).query;
    res.end(image());
  };
  const { reply } = await save(renderer, { host, before: [store] }, `${SAVE}&wid=8`);
  expect(reply).toMatchObject({ status: 'done' });
  expect({ ...(seen as object) }).toEqual({ wid: '8' });
});

test.each(['end', 'write', 'writeHead', 'setHeader'] as const)(
  'sends one complete reply although earlier middleware made %s read-only',
  async (name) => {
    const { url } = await serve(undefined, { before: [lock(name)] });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const answer = await get(url + SAVE, { agent, timeout: 1000 });
    expect(answer.headers['content-type']).toBe('text/plain');
    expect(answer.reply.status).toBe('failed');
    // The connection serves further requests.
    expect((await get(url + SAVE, { agent })).status).toBe(403);
    agent.destroy();
  },
);

test('emits close to earlier middleware when the client disconnects during the rename', async () => {
  const { rename } = fsCalls;
  const events: string[] = [];
  const note = doing((res) => res.on('close', () => events.push('close')));
  const client = send(await serve(undefined, { before: [note] }));
  const spy = jest.spyOn(fsCalls, 'rename').mockImplementation(async (...given) => {
    client.destroy();
    await eventually(() => events.length > 0);
    return rename(...given);
  });
  expect((await recorded()).outcome).toBe('done');
  expect(spy).toHaveBeenCalledTimes(1);
  spy.mockRestore();
  expect(events).toEqual(['close']);
});

test.each<[string, (res: ServerResponse) => unknown]>([
  ['writeHead', (res) => res.writeHead(200, { 'Content-Type': 'image/jpeg' })],
  ['write', (res) => res.write('x')],
  [
    'flushHeaders',
    (res) => {
      res.flushHeaders();
    },
  ],
])('cuts the connection of a command where earlier middleware has sent a head by %s', async (_way, flush) => {
  const warn = jest.spyOn(process, 'emitWarning').mockImplementation();
  await expect(save(undefined, { before: [doing(flush)] })).rejects.toThrow();
  expect(await recorded()).toMatchObject({ outcome: 'failed', code: 'internal-error' });
  expect(warn.mock.calls[0]?.[0]).toContain('has sent the head of another response');
  expect(list(folder())).toEqual([]);
  warn.mockRestore();
});

test('saves nothing for a command that earlier middleware has answered', async () => {
  const respond = doing((res) => res.end(Buffer.alloc(2e7)));
  const client = send(await serve(undefined, { before: [respond] })).pause();
  await recorded();
  await sleep(50);
  client.destroy();
  expect(list(folder())).toEqual([]);
});

test('ends a pending authorize when the client has already disconnected', async () => {
  const leave: Handler = (req, _res, next) => {
    req.socket.destroy();
    setTimeout(next, 20);
  };
  const authorize = (): Promise<boolean> => new Promise(() => undefined);
  await save(undefined, { before: [leave], timeout: 100, authorize }).catch(() => undefined);
  await eventually(() => records.length > 0);
  expect(records.map(({ code }) => code)).toEqual(['client-disconnected']);
});

test('keeps its dummy ETag out of every list of headers', async () => {
  let seen: unknown[] = [];
  const renderer: Handler = (_req, res) => {
    seen = [res.getHeaders(), res.getHeaderNames(), res.hasHeader('ETag'), typeof res.getHeader('ETag')];
    res.writeHead(200, { 'X-Own': 'x' });
    seen.push(res.getHeaders(), res.getHeader('x-own'));
    res.end('x');
  };
  await save(renderer, { host: 'http.createServer' });
  expect(seen).toEqual([{}, [], false, 'string', { 'x-own': 'x' }, 'x']);
});

test.each(['end', 'writeHead'])(
  'finishes a save although later middleware made %s read-only',
  async (name) => {
    const warn = jest.spyOn(process, 'emitWarning').mockImplementation();
    const locked: Handler = (req, res) => lock(name)(req, res, () => res.end(image()));
    // The client may lose the reply, but the connection ends and onSave gets its record.
    await save(locked).catch(() => undefined);
    await recorded();
    expect(records).toHaveLength(1);
    warn.mockRestore();
  },
);

test('keeps what a renderer appends to an array of header values out of the reply', async () => {
  const setCookies = doing((res) => res.setHeader('Set-Cookie', ['a=1', 'b=2']));
  const renderer: Handler = (_req, res) => res.appendHeader('Set-Cookie', 'leaked=1').end(image());
  const { reply, headers } = await save(renderer, { before: [setCookies] });
  expect(reply.status).toBe('done');
  expect(headers['set-cookie']).toEqual(['a=1', 'b=2']);
});

/** Sets the reply's own headers as the head is sent: in a listener of on-headers, and as arguments of `writeHead`. */
const setHeadersLate: Handler = (_req, res, next) => {
  const writeHead = res.writeHead.bind(res) as (status: number, headers: object) => typeof res;
  res.writeHead = (status: number) =>
    writeHead(status, { 'X-Argument': 'kept', 'cache-control': 'max-age=60', ETag: '"argument"' });
  onHeaders(res, function () {
    this.statusCode = res.statusCode === 403 ? 204 : 500;
    this.setHeader('X-Listener', 'kept');
    this.setHeader('ETag', '"listener"');
    this.setHeader('Last-Modified', new Date().toUTCString());
    this.setHeader('Cache-Control', 'public');
    this.setHeader('Content-Type', 'image/jpeg');
    this.removeHeader('X-Content-Type-Options');
  });
  next();
};

test.each(Object.keys(hosts))(
  'in %s, keeps status and headers of its reply although earlier middleware sets others as the head is sent',
  async (host) => {
    const before = [
      compression({ filter: () => true, threshold: 0 }) as Handler,
      session({ secret: 'for tests', resave: true, saveUninitialized: true }) as unknown as Handler,
      setHeadersLate,
    ];
    const { url } = await serve(undefined, { before, host });
    for (const [name, status] of [
      ['x.jpg', 'done'],
      ['x.php', 'failed'],
    ]) {
      const answer = await get(`${url}/x?req=saveToFile&name=${name}`);
      expect(answer.reply.status).toBe(status);
      expect([answer.status, answer.statusMessage]).toEqual(
        status === 'done' ? [200, 'OK'] : [403, 'Forbidden'],
      );
      expect(answer.headers).toMatchObject({
        'content-type': 'text/plain',
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
        vary: 'Accept-Encoding',
        'set-cookie': [expect.stringContaining('connect.sid=')],
        'x-listener': 'kept',
        'x-argument': 'kept',
      });
      expect(answer.headers).not.toHaveProperty('etag');
      expect(answer.headers).not.toHaveProperty('last-modified');
    }
    // An ordinary response has the headers of that middleware.
    expect((await get(url)).headers).toMatchObject({
      'content-type': 'image/jpeg',
      etag: '"argument"',
    });
  },
);

test.each(Object.keys(hosts).flatMap((host) => [false, true].map((ends) => ({ host, ends }))))(
  'in $host, keeps a late renderer from the connection while that serves the next request (ended before: $ends)',
  async ({ host, ends }) => {
    let late: (() => void) | undefined;
    const thrown: unknown[] = [];
    const renderer: Handler = (req, res, next) => {
      if (late !== undefined) {
        res.write('next');
        late();
        setImmediate(() => res.end(' request'));
        return;
      }
      const write = (): void => {
        res.statusCode = 200;
        res.setHeader('Content-Type', 'image/jpeg');
        res.setHeaders(new Map([['X-Late', 'a']]));
        res.appendHeader('X-Late', 'a');
        res.removeHeader('X-Late');
        res.writeHead(200, { 'X-Late': 'b' });
        res.flushHeaders();
        expect([res.write('late'), res.statusCode]).toEqual([false, 403]);
        res.end('late');
      };
      late = () => {
        try {
          if (!ends) write();
          for (const socket of [req.socket, res.socket]) socket?.write('late');
          for (const socket of [req.socket, res.socket]) socket?.end();
          for (const each of [req.socket, res.socket, req, res]) each?.destroy();
          next(new Error('much too late'));
        } catch (error) {
          thrown.push(error);
        }
      };
      if (ends) res.end(image());
      else saveOf(res)?.refuse();
    };
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const { url, reply } = await save(renderer, { host }, SAVE, { agent });
    expect(reply.status).toBe(ends ? 'done' : 'failed');
    const { body } = await get(`${url}/next`, { agent });
    expect([body.toString(), thrown]).toEqual(['next request', []]);
    agent.destroy();
  },
);

test.each(['as it is', 'encoded'])(
  'saves an image that comes %s behind middleware that announces an encoding first, and replies without one',
  async (how) => {
    const encode = doing((res) => {
      const gzip = createGzip();
      gzip.on('data', res.write.bind(res)).once('end', res.end.bind(res));
      res.setHeader('Content-Encoding', 'gzip');
      Object.assign(res, { write: gzip.write.bind(gzip), end: gzip.end.bind(gzip) });
    });
    const renderer: Handler = (_req, res) => res.end(how === 'encoded' ? gzipSync(image()) : image());
    const { headers, reply } = await save(renderer, { before: [encode] });
    expect([reply.status, headers['content-encoding']]).toEqual(['done', undefined]);
    expect(readFileSync(join(folder(), 'x.jpg'))).toEqual(image());
  },
);
