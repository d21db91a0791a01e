// A server process: one Express app, on a port of its own, for each app that the benchmark asks for.
import type * as Package from 'express-image-save';
import express, { type Express, type RequestHandler } from 'express';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import sharp from 'sharp';
import { HAND_WRITTEN, saveRoute, type SaveOptions } from './hand-written-routes.js';
import type { Images } from './images.js';

export interface AppSettings {
  /** The file that exports `imageSave` or its replacement. */
  readonly saves:
    | { readonly library: string }
    | 'plain delivery'
    | 'hand-written, same guarantees'
    | 'write-file-atomic and sharp';
  /** `concurrency` is for the middleware alone. */
  readonly options: SaveOptions & { readonly concurrency?: number | undefined };
}

export interface ServerSettings {
  readonly apps: readonly AppSettings[];
  readonly images: Images;
}

const { apps, images } = JSON.parse(process.argv[2] ?? '') as ServerSettings;
const require = createRequire(import.meta.url);

function createApp({ saves, options }: AppSettings): Express {
  const app = express();
  if (typeof saves === 'object') {
    const { imageSave } = require(saves.library) as typeof Package;
    app.use(imageSave(options));
  }
  app.get('/short', (_req, res) => {
    res.end('ok');
  });
  app.get('/sent-file', (_req, res) => {
    res.sendFile(images['20kb.jpg'] ?? '');
  });
  app.get('/scaled.jpg', async (_req, res) => {
    const image = await sharp(images['source.jpg']).resize(800).jpeg().toBuffer();
    res.type('jpeg').send(image);
  });
  app.get('/delayed.jpg', async (_req, res) => {
    await sleep(300);
    res.type('jpeg').send(readFileSync(images['20kb.jpg'] ?? ''));
  });
  for (const [name, file] of Object.entries(images)) {
    app.get(`/${name}`, imageRoute(saves, readFileSync(file), options));
  }
  return app;
}

function imageRoute(saves: AppSettings['saves'], image: Buffer, options: SaveOptions): RequestHandler {
  const save = typeof saves === 'string' ? HAND_WRITTEN[saves] : undefined;
  if (save !== undefined) return saveRoute(save, image, options);
  return (_req, res) => {
    res.type('jpeg').set('Content-Length', String(image.length)).end(image);
  };
}

function listen(app: Express): Promise<number> {
  const server = createServer(app);
  // The client's connections stay open between samples.
  server.keepAliveTimeout = 0;
  return new Promise((resolve) => {
    server.listen({ port: 0, host: '127.0.0.1', backlog: 1024 }, () => {
      resolve((server.address() as AddressInfo).port);
    });
  });
}

const calls = {
  ports: () => Promise.all(apps.map(createApp).map(listen)),
  /** Microseconds of processor time since the start, decoder processes included, once the last requests have ended. */
  cpu: async () => {
    await sleep(5);
    const { user, system } = process.cpuUsage();
    return user + system + readChildrenCpu();
  },
};

/** Processor time of the decoder processes, in microseconds; 0 where `/proc` does not say. (proc(5)) */
function readChildrenCpu(): number {
  const path = `/proc/self/task/${process.pid}/children`;
  const pids = existsSync(path) ? readFileSync(path, 'utf8').split(' ').filter(Boolean) : [];
  const ticks = pids.map((pid) => {
    // The name of the program, in brackets, may contain spaces.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ');
    return Number(fields[11]) + Number(fields[12]);
  });
  // 100 ticks in a second, on every Linux.
  return 10_000 * ticks.reduce((sum, each) => sum + each, 0);
}

export type Calls = typeof calls;

process.on('message', (name: keyof Calls) => {
  void Promise.resolve(calls[name]()).then((result) => process.send?.({ result }));
});
process.once('disconnect', () => process.exit());
