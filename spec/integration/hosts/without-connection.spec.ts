// Hosts without a network connection: serverless functions and test doubles of Node's request and response.
import { readdirSync, readFileSync } from 'node:fs';
import { EventEmitter, once } from 'node:events';
import { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import express from 'express';
import inject from 'light-my-request';
import { createMocks } from 'node-mocks-http';
import serverless from 'serverless-http';
import { imageSave, parseReply } from '../../../lib/index.js';
import type { Handler } from '../../support/host.js';
import { SAVE, useSaveFixture } from '../../support/use-save-fixture.js';

/** Typed here, because its own types need those of AWS Lambda. */
const serverlessExpress = jest.requireActual<
  (options: {
    app: unknown;
  }) => (event: object, context: object) => Promise<{ statusCode: number; body: string }>
>('@codegenie/serverless-express');

const { image, folder } = useSaveFixture();

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

const request = () => ({ url: SAVE, method: 'GET' as const, headers: { ...HEADERS } });

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

/** A command in Express, as light-my-request sends it: as `fastify.inject` and @fastify/aws-lambda do. */
const injectInto =
  (name: 'express' | 'express4') =>
  (middleware: Middleware, renderer: Handler): Promise<Sent> =>
    inject(copyOf(name)().use(middleware, renderer as express.RequestHandler), request());

/** Node's own response to a request that has no connection, or is not one of Node's at all. */
const answering =
  (make: () => object) =>
  async (middleware: Middleware, renderer: Handler): Promise<Sent> => {
    const version = { httpVersion: '1.1', httpVersionMajor: 1 };
    const req: object = Object.assign(make(), request(), version);
    const res = new ServerResponse(req as IncomingMessage);
    const sent = new PassThrough();
    res.assignSocket(sent as unknown as Socket);
    middleware(req as IncomingMessage, res, () => renderer(req as IncomingMessage, res, () => undefined));
    await once(res, 'finish');
    return { statusCode: res.statusCode, body: await text(sent.end()) };
  };

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
  'light-my-request': (middleware, renderer) =>
    inject((req, res) => {
      middleware(req, res, () => renderer(req, res, () => undefined));
    }, request()),
  'light-my-request with Express 5': injectInto('express'),
  'light-my-request with Express 4': injectInto('express4'),
  'a request of Node’s without a socket': answering(() => new IncomingMessage(undefined as never)),
  'a stream with a request’s properties, and no socket': answering(() =>
    Object.assign(Readable.from([]).destroy(), { socket: null }),
  ),
  'an object with a request’s properties': answering(() => ({})),
  'node-mocks-http': async (middleware, renderer) => {
    const { req, res } = createMocks(request(), { eventEmitter: EventEmitter });
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
  const { statusCode, body } = await hosts[host]!(imageSave({ savePath: folder() }), (req, res) => {
    seen.push(...Object.keys(req.headers).filter((name) => /^(?:if-|range|accept-encoding)/.test(name)));
    res.setHeader('Content-Type', 'image/jpeg').end(image());
  });
  expect([statusCode, seen]).toEqual([200, []]);
  expect(parseReply(body).status).toBe('done');
  expect(readFileSync(join(folder(), 'x.jpg')).equals(image())).toBe(true);
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

test.each(Object.keys(hosts))('breaks off under %s where a head has been sent before', async (host) => {
  const warn = jest.spyOn(process, 'emitWarning').mockImplementation();
  const log = jest.spyOn(console, 'error').mockImplementation();
  const save = imageSave({ savePath: folder() });
  const flushing: Handler = (req, res, next) => {
    save(req, res.writeHead(200), next);
  };
  const sent = hosts[host]!(flushing as typeof save, () => undefined);
  // serverless-express sends this status, and the others reject.
  expect(await sent.catch(() => ({ statusCode: 500 }))).toMatchObject({ statusCode: 500 });
  expect(warn.mock.calls[0]?.[0]).toContain('has sent the head of another response');
  for (const spy of [warn, log]) spy.mockRestore();
});
