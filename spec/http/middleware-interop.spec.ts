// Unusual middleware before the save, and unusual renderers.
import { Agent, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import compression from 'compression';
import session from 'express-session';
import onHeaders from 'on-headers';
import { fsCalls } from '../../lib/temp-files/fs.js';
import { imageSave, type SaveRecord } from '../../lib/index.js';
import { get } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { list } from '../support/temp-dir.js';
import { hosts, start, type Handler, type Running } from '../support/host.js';
import { useSaveFixture } from '../support/use-save-fixture.js';

const { image, folder } = useSaveFixture();

const QUERY = '/x?req=saveToFile&name=x.jpg';
const renderer: Handler = (_req, res) => res.end(image());

/** Sends the command on a connection that the test can close. */
const send = ({ port }: Running): Socket =>
  connect(port, '127.0.0.1').on('connect', function (this: Socket) {
    this.write(`GET ${QUERY} HTTP/1.1\r\nHost: a\r\n\r\n`);
  });

/** Replaces a method of the response by one that cannot be replaced again. */
const lock =
  (name: string): Handler =>
  (_req, res, next) => {
    const before = Reflect.get(res, name) as (...given: unknown[]) => unknown;
    Object.defineProperty(res, name, {
      configurable: false,
      writable: false,
      value: (...given: unknown[]) => before.apply(res, given),
    });
    next();
  };

test.each(Object.keys(hosts))('in %s, rewrites a stored req.query that is not configurable', async (host) => {
  let seen: unknown;
  const running = await start(
    [
      // The usual way to make it writable in Express 5.
      (req, _res, next) => {
        const query = { wid: '8', req: 'saveToFile', name: 'x.jpg' };
        Object.defineProperty(req, 'query', {
          ...Object.getOwnPropertyDescriptor(req, 'query'),
          value: query,
          writable: true,
        });
        next();
      },
      imageSave({ savePath: folder() }),
      (req, res) => {
        seen = (req as { query?: unknown }).query;
        res.end(image());
      },
    ],
    host,
  );
  const answer = await get(`${running.url}/x?wid=8&req=saveToFile&name=x.jpg`);
  expect(answer.reply).toMatchObject({ status: 'done' });
  expect({ ...(seen as object) }).toEqual({ wid: '8' });
});

test.each(['end', 'write', 'writeHead', 'setHeader'] as const)(
  'sends one complete reply although earlier middleware made %s read-only',
  async (name) => {
    const running = await start([lock(name), imageSave({ savePath: folder() }), renderer]);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const answer = await get(running.url + QUERY, { agent, timeout: 1000 });
    expect(answer.headers['content-type']).toBe('text/plain');
    expect(answer.reply.status).toBe('failed');
    // The connection serves further requests.
    expect((await get(running.url + QUERY, { agent })).status).toBe(403);
    agent.destroy();
  },
);

test('emits close to earlier middleware when the client disconnects during the rename', async () => {
  const { rename } = fsCalls;
  const events: string[] = [];
  const records: SaveRecord[] = [];
  const running = await start([
    (_req, res, next) => {
      res.on('close', () => events.push('close'));
      next();
    },
    imageSave({ savePath: folder(), onSave: (record) => void records.push(record) }),
    renderer,
  ]);
  const client = send(running);
  const spy = jest.spyOn(fsCalls, 'rename').mockImplementation(async (...given) => {
    client.destroy();
    await sleep(100);
    return rename(...given);
  });
  await eventually(() => records.length > 0);
  expect(spy).toHaveBeenCalledTimes(1);
  spy.mockRestore();
  expect(records[0]?.outcome).toBe('done');
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
  const records: SaveRecord[] = [];
  const running = await start([
    (_req, res, next) => {
      flush(res);
      next();
    },
    imageSave({ savePath: folder(), onSave: (record) => void records.push(record) }),
    renderer,
  ]);
  await expect(get(running.url + QUERY)).rejects.toThrow();
  await eventually(() => records.length > 0);
  expect(records).toMatchObject([{ outcome: 'failed', code: 'internal-error' }]);
  expect(warn.mock.calls[0]?.[0]).toContain('has sent the head of another response');
  expect(list(folder())).toEqual([]);
  warn.mockRestore();
});

test('saves nothing for a command that earlier middleware has answered', async () => {
  const records: SaveRecord[] = [];
  const running = await start([
    (_req, res, next) => {
      res.end(Buffer.alloc(2e7));
      next();
    },
    imageSave({ savePath: folder(), onSave: (record) => void records.push(record) }),
    renderer,
  ]);
  const client = send(running).pause();
  await eventually(() => records.length > 0);
  await sleep(50);
  client.destroy();
  expect(list(folder())).toEqual([]);
});

test('does not call a listener that was removed at once', async () => {
  const listener = jest.fn();
  let response: ServerResponse | undefined;
  const running = await start([
    (_req, res, next) => {
      response = res;
      next();
    },
    imageSave({ savePath: folder() }),
    renderer,
  ]);
  await get(running.url + QUERY);
  await sleep(20);
  response!.on('close', listener);
  response!.removeListener('close', listener);
  await sleep(20);
  expect(listener).not.toHaveBeenCalled();
});

test('ends a pending authorize when the client has already disconnected', async () => {
  const records: SaveRecord[] = [];
  const running = await start([
    (req, _res, next) => {
      req.socket.destroy();
      setTimeout(next, 20);
    },
    imageSave({
      savePath: folder(),
      timeout: 100,
      authorize: () => new Promise(() => undefined),
      onSave: (record) => void records.push(record),
    }),
    renderer,
  ]);
  await get(running.url + QUERY).catch(() => undefined);
  await sleep(300);
  expect(records.map(({ code }) => code)).toEqual(['client-disconnected']);
});

test('ignores inherited options', () => {
  expect(typeof imageSave(Object.create({ timeout: 'soon' }) as object)).toBe('function');
});

test('keeps its dummy ETag out of every list of headers', async () => {
  let seen: unknown[] = [];
  const running = await start(
    [
      imageSave({ savePath: folder() }),
      (_req, res) => {
        seen = [res.getHeaders(), res.getHeaderNames(), res.hasHeader('ETag'), typeof res.getHeader('ETag')];
        res.writeHead(200, { 'X-Own': 'x' });
        seen.push(res.getHeaders(), res.getHeader('x-own'));
        res.end('x');
      },
    ],
    'http.createServer',
  );
  await get(running.url + QUERY);
  expect(seen).toEqual([{}, [], false, 'string', { 'x-own': 'x' }, 'x']);
});

test.each(['end', 'writeHead'])(
  'finishes a save although later middleware made %s read-only',
  async (name) => {
    const warn = jest.spyOn(process, 'emitWarning').mockImplementation();
    const records: SaveRecord[] = [];
    const running = await start([
      imageSave({ savePath: folder(), onSave: (record) => void records.push(record) }),
      lock(name),
      renderer,
    ]);
    // The client may lose the reply, but the connection ends and onSave gets its record.
    await get(running.url + QUERY).catch(() => undefined);
    await eventually(() => records.length > 0);
    expect(records).toHaveLength(1);
    warn.mockRestore();
  },
);

test('keeps what a renderer appends to an array of header values out of the reply', async () => {
  const running = await start([
    (_req, res, next) => {
      res.setHeader('Set-Cookie', ['a=1', 'b=2']);
      next();
    },
    imageSave({ savePath: folder() }),
    (_req, res) => {
      res.appendHeader('Set-Cookie', 'leaked=1');
      res.end(image());
    },
  ]);
  const answer = await get(running.url + QUERY);
  expect(answer.reply.status).toBe('done');
  expect(answer.headers['set-cookie']).toEqual(['a=1', 'b=2']);
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
    const running = await start(
      [
        compression({ filter: () => true, threshold: 0 }) as Handler,
        session({ secret: 'for tests', resave: true, saveUninitialized: true }) as unknown as Handler,
        setHeadersLate,
        imageSave({ savePath: folder() }),
        renderer,
      ],
      host,
    );
    for (const [name, status] of [
      ['x.jpg', 'done'],
      ['x.php', 'failed'],
    ]) {
      const answer = await get(`${running.url}/x?req=saveToFile&name=${name}`);
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
    expect((await get(running.url)).headers).toMatchObject({
      'content-type': 'image/jpeg',
      etag: '"argument"',
    });
  },
);

test('keeps a late renderer from the connection while that serves the next request', async () => {
  let late: (() => void) | undefined;
  const running = await start([
    imageSave({ savePath: folder() }),
    (req, res, next) => {
      if (late !== undefined) {
        res.write('next');
        late();
        setImmediate(() => res.end(' request'));
        return;
      }
      late = () => {
        req.socket.write('late');
        res.socket?.write('late');
        req.socket.end();
        res.socket?.end();
        req.socket.destroy();
        res.socket?.destroy();
        req.destroy();
        res.destroy();
        next(new Error('late'));
      };
      res.end(image());
    },
  ]);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  expect((await get(running.url + QUERY, { agent })).reply.status).toBe('done');
  const answer = await get(`${running.url}/next`, { agent });
  expect(answer.body.toString()).toBe('next request');
  agent.destroy();
});
