// Every supported host.
import { createReadStream } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import 'reflect-metadata';
import middie from '@fastify/middie';
import { Controller, Get, Header, Logger, Module, Res, StreamableFile } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import type { Response } from 'express';
import fastify from 'fastify';
import polka from 'polka';
import { imageSave } from '../../../lib/index.js';
import { makeTempDir, removeTempDirs } from '../../support/temp-dir.js';
import { hosts as chains, type Handler } from '../../support/host.js';
import { PICTURE, expectRefused, expectSaved, makePictures } from '../renderers/pictures.js';

let pictures: string;
let picture: Buffer;
let savePath: string;
const stops: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  ({ folder: pictures, picture } = await makePictures());
});
beforeEach(() => {
  savePath = makeTempDir();
});
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});
afterAll(removeTempDirs);

/** Serves the picture under /whole, under /stream, and nothing elsewhere. Gives its address. */
type Host = (middleware: Handler[]) => Promise<string>;

async function listen(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  stops.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const open = () => createReadStream(join(pictures, PICTURE));

const routes: Handler = (req, res) => {
  if (req.url === '/whole') res.setHeader('Content-Type', 'image/jpeg').end(picture);
  else if (req.url === '/stream') open().pipe(res.setHeader('Content-Type', 'image/jpeg'));
  else res.writeHead(404).end();
};

/** A Nest controller; its decorators are called as functions, which needs no compiler that knows them. */
function makeRoot(): new () => object {
  class Pictures {
    whole(res: Response): void {
      res.type('jpeg').send(picture);
    }
    stream(): StreamableFile {
      return new StreamableFile(open(), { type: 'image/jpeg' });
    }
  }
  const { prototype } = Pictures;
  const described = (name: string) => Object.getOwnPropertyDescriptor(prototype, name)!;
  Res()(prototype, 'whole', 0);
  Get('whole')(prototype, 'whole', described('whole'));
  Get('stream')(prototype, 'stream', described('stream'));
  Header('Cache-Control', 'no-cache')(prototype, 'stream', described('stream'));
  Controller()(Pictures);
  // eslint-disable-next-line @typescript-eslint/no-extraneous-class -- a Nest module is all decorator
  class Root {}
  Module({ controllers: [Pictures] })(Root);
  return Root;
}

const hosts: Record<string, Host> = {
  ...Object.fromEntries(
    Object.entries(chains).map(([name, chain]): [string, Host] => [
      name,
      (middleware) => listen(chain([...middleware, routes])),
    ]),
  ),
  polka: async (middleware) => {
    const app = polka();
    for (const handler of middleware) app.use(handler);
    app.get('/whole', routes).get('/stream', routes);
    return listen(app.handler.bind(app));
  },
  'NestJS on Express': async (middleware) => {
    Logger.overrideLogger(false);
    const app = await NestFactory.create(makeRoot(), new ExpressAdapter());
    for (const handler of middleware) app.use(handler);
    await app.listen(0, '127.0.0.1');
    stops.push(() => app.close());
    return app.getUrl();
  },
  'Fastify with @fastify/middie': async (middleware) => {
    const app = fastify({ forceCloseConnections: true });
    await app.register(middie);
    for (const handler of middleware) app.use(handler);
    app.get('/whole', (_request, reply) => reply.type('image/jpeg').send(picture));
    app.get('/stream', (_request, reply) => reply.type('image/jpeg').send(open()));
    stops.push(() => app.close());
    return app.listen({ port: 0, host: '127.0.0.1' });
  },
};

describe.each(Object.keys(hosts))('%s', (name) => {
  const host = hosts[name]!;

  test.each(['/whole', '/stream'])('delivers and saves %s', async (path) => {
    const [bare, url] = [await host([]), await host([imageSave({ savePath })])];
    await expectSaved(bare + path, url + path, savePath);
  });

  test('refuses a save without a route, and goes on', async () => {
    const url = await host([imageSave({ savePath })]);
    await expectRefused(`${url}/none`, `${url}/whole`, savePath, 'renderer-status');
  });
});
