// Hosts without a network connection, HTTP/2, code that bypasses the response's methods, tracers, broken requests.
import diagnostics from 'node:diagnostics_channel';
import { readdirSync, readFileSync } from 'node:fs';
import { EventEmitter, once } from 'node:events';
import { IncomingMessage, OutgoingMessage, ServerResponse } from 'node:http';
import {
  connect as connectHttp2,
  createServer as createHttp2Server,
  type ClientHttp2Session,
  type Http2Server,
} from 'node:http2';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import cookieSession from 'cookie-session';
import express from 'express';
import inject from 'light-my-request';
import { createMocks } from 'node-mocks-http';
import serverless from 'serverless-http';
import { imageSave, parseReply } from '../../lib/index.js';
import { get } from '../support/client.js';
import { start, type Handler } from '../support/host.js';
import { built, runInChild } from '../support/run-in-child.js';
import { useSaveFixture } from '../support/use-save-fixture.js';

/** Typed here, because its own types need those of AWS Lambda. */
const serverlessExpress = jest.requireActual<
  (options: {
    app: unknown;
  }) => (event: object, context: object) => Promise<{ statusCode: number; body: string }>
>('@codegenie/serverless-express');

const { image, folder } = useSaveFixture();
const SAVE = '/x?req=saveToFile&name=x.jpg';

const sendImage: Handler = (_req, res) => {
  res.setHeader('Content-Type', 'image/jpeg');
  res.end(image());
};

const expectSaved = (text: string): void => {
  expect(parseReply(text).status).toBe('done');
  expect(readFileSync(join(folder(), 'x.jpg')).equals(image())).toBe(true);
};

/** What browsers and gateways send. Some of these would make a renderer send a part of the image. */
const HEADERS = {
  accept: 'image/avif,image/webp,*/*;q=0.8',
  'accept-encoding': 'gzip, deflate, br, zstd',
  'accept-language': 'de',
  'cache-control': 'no-cache',
  cookie: 'a=1; b=2',
  host: 'pictures.example',
  'if-match': '"x"',
  'if-modified-since': 'Sun, 22 Nov 2026 13:28:00 GMT',
  'if-none-match': '"x"',
  'if-range': '"x"',
  'if-unmodified-since': 'Sun, 22 Nov 2026 13:28:00 GMT',
  range: 'bytes=0-9',
  'sec-fetch-site': 'same-origin',
  'user-agent': 'a browser',
  via: '1.1 gateway',
  'x-forwarded-for': '192.0.2.1',
};

describe('a host without a network connection', () => {
  type Middleware = ReturnType<typeof imageSave>;
  interface Sent {
    readonly statusCode: number;
    readonly body: string;
  }
  const appOf = (middleware: Middleware, renderer: Handler): express.Express =>
    express().use(middleware, renderer as express.RequestHandler);

  /** Another copy of Express: light-my-request changes the prototypes of the one that it gets an application of. */
  const copyOf = (name: 'express' | 'express4'): typeof express => {
    let copy = express;
    jest.isolateModules(() => (copy = jest.requireActual(name)));
    return copy;
  };

  /** Node's own response to a request that has no connection, or is not one of Node's at all. */
  const answer = async (req: object, middleware: Middleware, renderer: Handler): Promise<Sent> => {
    const res = new ServerResponse(req as IncomingMessage);
    const sent = new PassThrough();
    res.assignSocket(sent as unknown as Socket);
    middleware(req as IncomingMessage, res, () => renderer(req as IncomingMessage, res, () => undefined));
    await once(res, 'finish');
    return { statusCode: res.statusCode, body: await text(sent.end()) };
  };
  const REQUEST = { url: SAVE, method: 'GET', httpVersion: '1.1', httpVersionMajor: 1 };

  /** Sends a save command through a host. */
  const hosts: Record<string, (middleware: Middleware, renderer: Handler) => Promise<Sent>> = {
    'serverless-http': (middleware, renderer) => {
      const queryStringParameters = { req: 'saveToFile', name: 'x.jpg' };
      const event = { httpMethod: 'GET', path: '/x', headers: { ...HEADERS }, queryStringParameters };
      return serverless(appOf(middleware, renderer))(event, {}) as Promise<Sent>;
    },
    'serverless-express': (middleware, renderer) =>
      serverlessExpress({ app: appOf(middleware, renderer) })(
        {
          version: '2.0',
          routeKey: '$default',
          rawPath: '/x',
          rawQueryString: SAVE.slice(SAVE.indexOf('?') + 1),
          headers: { ...HEADERS },
          requestContext: { http: { method: 'GET', path: '/x', sourceIp: '127.0.0.1' }, stage: '$default' },
          isBase64Encoded: false,
        },
        {},
      ),
    // As `fastify.inject` and @fastify/aws-lambda do.
    'light-my-request': (middleware, renderer) =>
      inject(
        (req, res) => {
          middleware(req, res, () => renderer(req, res, () => undefined));
        },
        { url: SAVE, headers: { ...HEADERS } },
      ),
    'light-my-request with Express 5': (middleware, renderer) =>
      inject(copyOf('express')().use(middleware, renderer as express.RequestHandler), {
        url: SAVE,
        headers: { ...HEADERS },
      }),
    'light-my-request with Express 4': (middleware, renderer) =>
      inject(copyOf('express4')().use(middleware, renderer as express.RequestHandler), {
        url: SAVE,
        headers: { ...HEADERS },
      }),
    'a request of Node’s without a socket': (middleware, renderer) =>
      answer(
        Object.assign(new IncomingMessage(undefined as never), REQUEST, { headers: { ...HEADERS } }),
        middleware,
        renderer,
      ),
    'a stream with a request’s properties, and no socket': (middleware, renderer) =>
      answer(
        Object.assign(Readable.from([]).destroy(), REQUEST, { headers: { ...HEADERS }, socket: null }),
        middleware,
        renderer,
      ),
    'an object with a request’s properties': (middleware, renderer) =>
      answer({ ...REQUEST, headers: { ...HEADERS } }, middleware, renderer),
    'node-mocks-http': async (middleware, renderer) => {
      const { req, res } = createMocks(
        { url: SAVE, headers: { ...HEADERS } },
        { eventEmitter: EventEmitter },
      );
      const ended = once(res, 'end');
      middleware(req, res, (error?: unknown) => {
        if (error === undefined) renderer(req, res, () => undefined);
      });
      await ended;
      return { statusCode: res.statusCode, body: String(res._getData()) };
    },
  };

  test.each(Object.keys(hosts))('saves under %s, whatever the client sends', async (host) => {
    const seen: string[] = [];
    const { statusCode, body } = await hosts[host]!(imageSave({ savePath: folder() }), (req, res, next) => {
      seen.push(...Object.keys(req.headers).filter((name) => /^(?:if-|range|accept-encoding)/.test(name)));
      return sendImage(req, res, next);
    });
    expect([statusCode, seen]).toEqual([200, []]);
    expectSaved(body);
  });

  test.each(Object.keys(hosts))('refuses under %s', async (host) => {
    const { statusCode, body } = await hosts[host]!(
      imageSave({ savePath: folder(), timeout: 50 }),
      () => undefined,
    );
    expect(statusCode).toBe(403);
    expect(parseReply(body)).toMatchObject({ status: 'timeout', error: { code: 'timeout' } });
    expect(readdirSync(folder())).toEqual([]);
  });
});

describe('Node’s HTTP/2 compatibility layer', () => {
  let server: Http2Server;
  let client: ClientHttp2Session;
  afterEach(() => {
    client.destroy();
    server.close();
  });

  async function getHttp2(path: string): Promise<[status: number | undefined, text: string]> {
    const stream = client.request({ ':path': path });
    const [headers] = (await once(stream, 'response')) as [{ ':status'?: number }];
    return [headers[':status'], await text(stream)];
  }

  test('gets a save command to the error handler, and any other request to the renderer', async () => {
    const middleware = imageSave({ savePath: folder() });
    server = createHttp2Server((req, res) => {
      // The types know that it is not supported.
      middleware(req as unknown as IncomingMessage, res as unknown as ServerResponse, (error?: unknown) => {
        res.writeHead(error === undefined ? 200 : 500).end(String(error));
      });
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    client = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    expect(await getHttp2('/x?name=x.jpg')).toEqual([200, 'undefined']);
    expect(await getHttp2(SAVE)).toEqual([
      500,
      'TypeError: express-image-save works on HTTP/1 requests; serve HTTP/2 by a proxy in front',
    ]);
    expect(readdirSync(folder())).toEqual([]);
  });
});

test('refuses a name that a host has cut within a character', async () => {
  const renderer = jest.fn(sendImage);
  const { url } = await start([
    (req, _res, next) => {
      // No client can send half a surrogate pair; a host that rewrites the URL can hand it on.
      req.url = `/x?req=saveToFile&name=${'shoe👟'.slice(0, 5)}.jpg`;
      next();
    },
    imageSave({ savePath: folder(), publicUrl: '/saved/' }),
    renderer,
  ]);
  const { status, reply } = await get(url);
  expect([status, reply.error?.code]).toEqual([403, 'name-invalid']);
  expect(renderer).not.toHaveBeenCalled();
});

describe('a renderer’s header', () => {
  test('stays out of the reply when set past the response’s methods', async () => {
    const { url } = await start([
      (_req, res, next) => {
        res.setHeader('X-Before', 'kept');
        res.setHeader('X-Changed', 'as it was');
        res.setHeader('X-Removed', 'as it was');
        next();
      },
      imageSave({ savePath: folder() }),
      (_req, res) => {
        OutgoingMessage.prototype.setHeader.call(res, 'X-Renderer', 'leaked');
        OutgoingMessage.prototype.setHeader.call(res, 'X-Changed', 'leaked');
        OutgoingMessage.prototype.removeHeader.call(res, 'X-Removed');
        res.end(image());
      },
    ]);
    const { headers, reply } = await get(url + SAVE);
    expect(reply.status).toBe('done');
    expect(headers).toMatchObject({
      'x-before': 'kept',
      'x-changed': 'as it was',
      'x-removed': 'as it was',
    });
    expect(headers).not.toHaveProperty('x-renderer');
  });

  test.each(['done', 'failed'])('stays out of a %s reply when set by cookie-session', async (status) => {
    const session = cookieSession({ keys: ['secret'] });
    const { url } = await start([
      imageSave({ savePath: folder() }),
      session as unknown as Handler,
      (req, res) => {
        (req as unknown as { session: object }).session = { user: 'someone' };
        res.statusCode = status === 'done' ? 200 : 404;
        res.end(image());
      },
    ]);
    const { headers, reply } = await get(url + SAVE);
    expect(reply.status).toBe(status);
    expect(headers).not.toHaveProperty('set-cookie');
  });
});

test('leaves a response in its domain while it renders and after the reply', async () => {
  const { answer, errors, active } = (await runInChild(`
    import domain from 'node:domain';
    import { once } from 'node:events';
    import { createServer } from 'node:http';
    import { imageSave } from ${built('lib/index.ts')};
    const save = imageSave({ savePath: ${JSON.stringify(folder())} });
    const [errors, active] = [[], []];
    const requests = createServer().listen(0, '127.0.0.1');
    await once(requests, 'listening');
    const reply = fetch('http://127.0.0.1:' + requests.address().port + ${JSON.stringify(SAVE)});
    const [req, res] = await once(requests, 'request');
    const own = domain.create().on('error', (error) => errors.push(error.message));
    own.add(res);
    await new Promise((resolve) => save(req, res, resolve));
    // Here no domain is active. That of the response becomes active for its listeners, and gets its errors.
    const isActive = () => active.push(process.domain === own);
    isActive();
    res.once('step', isActive).emit('step');
    res.emit('error', new Error('while it renders'));
    res.end(Buffer.from('${image().toString('base64')}', 'base64'));
    const answer = await (await reply).text();
    res.once('step', isActive).emit('step');
    requests.close();
    console.log(JSON.stringify({ answer, errors, active }));
  `)) as { answer: string; errors: string[]; active: boolean[] };
  expectSaved(answer);
  expect([errors, active]).toEqual([['while it renders'], [false, true, true]]);
});

test('announces one response for each save to Node’s diagnostics', async () => {
  const created: unknown[] = [];
  const note = (message: unknown): void => {
    created.push(message);
  };
  const { url } = await start([imageSave({ savePath: folder() }), sendImage]);
  diagnostics.subscribe('http.server.response.created', note);
  try {
    await get(url);
    const plain = created.length;
    await get(url + SAVE);
    // Node publishes this channel since version 22.
    expect(created.length).toBe(2 * plain);
  } finally {
    diagnostics.unsubscribe('http.server.response.created', note);
  }
});

test('replies to a POST whose renderer destroys the request before its body arrives, then closes', async () => {
  const { port } = await start([
    imageSave({ savePath: folder() }),
    (req, res) => {
      res.end(image());
      req.destroy();
    },
  ]);
  const socket = connect(port, '127.0.0.1');
  socket.write(`POST ${SAVE} HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n`);
  socket.write(Buffer.alloc(4_000_000));
  let text = '';
  for await (const chunk of socket.setEncoding('latin1')) text += String(chunk);
  expect(text).toMatch(/^HTTP\/1\.1 200 /);
  expect(text).toContain('\nstatus=done\n');
  expect(readdirSync(folder())).toEqual(['x.jpg']);
});
