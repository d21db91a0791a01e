// In front of the renderers that people mount, as they come from npm, with the usual middleware around.
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import express from 'express';
import { rateLimit } from 'express-rate-limit';
import { createProxyMiddleware, responseInterceptor } from 'http-proxy-middleware';
import morgan from 'morgan';
import { pinoHttp } from 'pino-http';
import sharp from 'sharp';
import sirv from 'sirv';
import { imageSave } from '../../../lib/index.js';
import { get } from '../../support/client.js';
import { list, makeTempDir, removeTempDirs } from '../../support/temp-dir.js';
import { start, stopAll, type Handler } from '../../support/host.js';
import { PICTURE, expectRefused, expectSaved, makePictures } from './pictures.js';
import { startPair } from './usual-middleware.js';

let pictures: string;
let picture: Buffer;
let target: string;
let savePath: string;

beforeAll(async () => {
  ({ folder: pictures, picture } = await makePictures());
});
beforeEach(async () => {
  const upstream: Handler = (req, res, next) => UPSTREAM[req.url ?? '']?.(req, res, next);
  target = (await start([upstream], 'http.createServer')).url;
  savePath = makeTempDir();
});
afterEach(stopAll);
afterAll(removeTempDirs);

/** The server behind the proxies. The path selects the fault of the picture. */
const UPSTREAM: Record<string, Handler> = {
  [`/${PICTURE}`]: (_req, res) => {
    res.setHeader('Content-Type', 'image/jpeg').end(picture);
  },
  '/cut.jpg': (_req, res) => {
    res.writeHead(200, { 'Content-Type': 'image/jpeg', 'Content-Length': picture.length });
    res.write(picture.subarray(0, picture.length / 2), () => res.destroy());
  },
  '/cut-in-chunks.jpg': (_req, res) => {
    res.writeHead(200, { 'Content-Type': 'image/jpeg' });
    res.write(picture.subarray(0, picture.length / 2), () => res.destroy());
  },
  '/missing.jpg': (_req, res) => {
    // A placeholder picture with status 404.
    res.writeHead(404, { 'Content-Type': 'image/jpeg' }).end(picture);
  },
  '/gone.jpg': (req) => {
    req.socket.destroy();
  },
};

/** A renderer, and the path of one of its images. */
type Renderer = readonly [path: string, make: () => Handler];

interface Proxy {
  readonly make: () => Handler;
  /** The reply for an image that the other server does not send to its end. */
  readonly cut: { readonly status: string; readonly code: string };
}

const intercept = responseInterceptor((body) => Promise.resolve(body));

const proxies: Record<string, Proxy> = {
  'http-proxy-middleware': {
    make: () => createProxyMiddleware({ target }),
    // This proxy never reports the failure, so the save ends at its deadline.
    cut: { status: 'timeout', code: 'timeout' },
  },
  'http-proxy-middleware that passes on the end of the other server': {
    make: () =>
      createProxyMiddleware({
        target,
        on: {
          proxyRes: (proxyRes, _req, res) => {
            proxyRes.once('error', () => res.destroy());
          },
        },
      }),
    cut: { status: 'failed', code: 'renderer-aborted' },
  },
  'http-proxy-middleware with responseInterceptor': {
    make: () =>
      createProxyMiddleware({
        target,
        selfHandleResponse: true,
        on: {
          proxyRes: (...given) => {
            void intercept(...given);
          },
        },
      }),
    // This proxy sends the error as text with status 200.
    cut: { status: 'failed', code: 'not-an-image' },
  },
};

const renderers: Record<string, Renderer> = {
  'express.static': [`/${PICTURE}`, () => express.static(pictures) as Handler],
  sirv: [`/${PICTURE}`, () => sirv(pictures)],
  'sirv in development': [`/${PICTURE}`, () => sirv(pictures, { dev: true })],
  'sharp, piped': [
    '/any?wid=120',
    () => async (_req, res) => {
      res.setHeader('Content-Type', 'image/jpeg');
      await pipeline(sharp(join(pictures, PICTURE)).resize(120).jpeg(), res);
    },
  ],
  ...Object.fromEntries(
    Object.entries(proxies).map(([name, { make }]): [string, Renderer] => [name, [`/${PICTURE}`, make]]),
  ),
};

describe.each(Object.keys(renderers))('%s', (name) => {
  const [path, make] = renderers[name]!;
  const theirs = ['content-security-policy', 'ratelimit-limit', 'set-cookie'];

  test.each([
    ['alone', []],
    ['behind all of the usual middleware', theirs],
    ['with all of the usual middleware between', []],
  ] as const)('is saved %s', async (place, headersOfMiddleware) => {
    const { headers } = await expectSaved(await startPair(make, place, savePath), path);
    expect(theirs.filter((header) => header in headers)).toEqual(headersOfMiddleware);
  });
});

describe.each(Object.keys(proxies))('%s', (name) => {
  const { make, cut } = proxies[name]!;
  const refused = { status: 'failed', code: 'renderer-status' };

  test.each([
    ['dies in mid-image', '/cut.jpg', cut],
    ['dies in mid-image of unknown length', '/cut-in-chunks.jpg', cut],
    ['has no such picture', '/missing.jpg', refused],
    ['dies before it answers', '/gone.jpg', refused],
  ])('reports the failure when the other server %s', async (_what, path, { status, code }) => {
    // Long enough for slow machines, except for the proxy that never responds.
    const timeout = code === 'timeout' ? 1000 : 30_000;
    const { url } = await start([imageSave({ savePath, timeout }), make()]);
    await expectRefused({ url, savePath }, path, `/${PICTURE}`, code, status);
  });
});

test.each([
  ['before the middleware responds itself', true, 429, undefined],
  ['behind the middleware counts as a refusing renderer', false, 403, 'renderer-status'],
])('express-rate-limit at its limit %s', async (_what, isBefore, status, code) => {
  const both = [imageSave({ savePath }), rateLimit({ limit: 1 }) as unknown as Handler];
  const { url } = await start([...(isBefore ? both.reverse() : both), express.static(pictures) as Handler]);
  await get(`${url}/${PICTURE}`);
  const answer = await get(`${url}/${PICTURE}?req=saveToFile&name=saved.jpg`);
  expect([answer.status, isBefore ? undefined : answer.reply.error?.code]).toEqual([status, code]);
  expect(list(savePath)).toEqual([]);
});

test('pino-http and morgan log the reply of a save once', async () => {
  const lines: string[] = [];
  let seen = (): void => undefined;
  const both = new Promise<void>((resolve) => (seen = resolve));
  const log = new Writable({
    decodeStrings: false,
    write: (line: string, _encoding, done) => {
      if (lines.push(line.trim()) === 2) seen();
      done();
    },
  });
  const { url } = await start([
    pinoHttp(log),
    morgan(':status :url', { stream: log }),
    imageSave({ savePath }),
    express.static(pictures) as Handler,
  ]);
  await get(`${url}/${PICTURE}?req=saveToFile&name=saved.jpg`);
  await both;
  expect(lines.sort()).toEqual([
    `200 /${PICTURE}?req=saveToFile&name=saved.jpg`,
    expect.stringContaining('"statusCode":200'),
  ]);
});
