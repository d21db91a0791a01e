// A server process: one Express app, on a port of its own, for each app that the benchmark asks for.
import type * as Package from 'express-image-save';
import express, { type Express, type RequestHandler } from 'express';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import sharp from 'sharp';
import { sameGuaranteesRoute, writeFileAtomicRoute, type SaveOptions } from './hand-written-routes.js';
import type { Images } from './images.js';

export interface AppSettings {
  /** The file that exports `imageSave` or its replacement. */
  readonly saves:
    | { readonly library: string }
    | 'plain delivery'
    | 'hand-written, same guarantees'
    | 'write-file-atomic and sharp';
  readonly options: SaveOptions;
}

export interface ServerSettings {
  readonly apps: readonly AppSettings[];
  readonly images: Images;
}

/** Memory of the process, in bytes. */
export interface Memory {
  readonly current: number;
  readonly peak: number;
}

const { apps, images } = JSON.parse(process.argv[2] ?? '') as ServerSettings;
const require = createRequire(import.meta.url);

function createApp({ saves, options }: AppSettings): Express {
  const app = express();
  if (typeof saves === 'object') {
    const { imageSave } = require(saves.library) as typeof Package;
    app.use(imageSave({ ...options, maxBytes: 2 ** 31, maxPixels: 2 ** 31 }));
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
  for (const [name, file] of Object.entries(images)) {
    app.get(
      `/${name}`,
      name.endsWith('.tif') ? streamFile(file) : imageRoute(saves, readFileSync(file), options),
    );
  }
  return app;
}

function imageRoute(saves: AppSettings['saves'], image: Buffer, options: SaveOptions): RequestHandler {
  if (saves === 'hand-written, same guarantees') return sameGuaranteesRoute(image, options);
  if (saves === 'write-file-atomic and sharp') return writeFileAtomicRoute(image, options);
  return (_req, res) => {
    res.type('jpeg').set('Content-Length', String(image.length)).end(image);
  };
}

/** Sends a file in pieces that are already in memory, so that only the middleware adds memory. */
function streamFile(file: string): RequestHandler {
  let image: Buffer | undefined;
  function* pieces(bytes: Buffer): Generator<Buffer> {
    for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
  }
  return (_req, res) => {
    image ??= readFileSync(file);
    res.type('tiff').set('Content-Length', String(image.length));
    Readable.from(pieces(image)).pipe(res);
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
  /** Processor time since the start, in microseconds, once the last requests have ended completely. */
  cpu: async () => {
    await sleep(5);
    const { user, system } = process.cpuUsage();
    return user + system;
  },
  /** Linux only. Collects garbage and makes the current memory the peak (proc(5), clear_refs). */
  resetPeak: () => {
    globalThis.gc?.();
    writeFileSync('/proc/self/clear_refs', '5');
  },
  memory: (): Memory => {
    const status = readFileSync('/proc/self/status', 'utf8');
    const read = (field: string): number =>
      Number(new RegExp(`${field}:\\s*(\\d+)`).exec(status)?.[1]) * 1024;
    return { current: read('VmRSS'), peak: read('VmHWM') };
  },
};

export type Calls = typeof calls;

process.on('message', (name: keyof Calls) => {
  void Promise.resolve(calls[name]()).then((result) => process.send?.({ result }));
});
process.once('disconnect', () => process.exit());
