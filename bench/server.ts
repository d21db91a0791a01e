// A server process: one Express app, on a port of its own, for each app that the benchmark asks for.
import express, { type Express } from 'express';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { HAND_WRITTEN, saveRoute, type SaveOptions } from './hand-written-routes.js';
import { scale } from './images.js';
import type * as Package from '../lib/index.js';

export interface Contestant {
  /** How the tables call it. */
  readonly name: string;
  /** The file that exports `imageSave`; without one, a hand-written route of this name, or plain delivery. */
  readonly library?: string;
  /** For the middleware alone. */
  readonly concurrency?: number;
}

export type AppSettings = Contestant & SaveOptions;

const [images = '', apps = '[]'] = process.argv.slice(2);

function createApp({ name, library, ...options }: AppSettings): Express {
  const app = express();
  if (library !== undefined) {
    const { imageSave } = createRequire(import.meta.url)(library) as typeof Package;
    app.use(imageSave(options));
  }
  app.get('/cpu', async (_req, res) => {
    res.end(String(await readCpu()));
  });
  app.get('/short', (_req, res) => {
    res.end('ok');
  });
  app.get('/sent-file', (_req, res) => {
    res.sendFile(join(images, '20kb.jpg'));
  });
  app.get('/scaled.jpg', async (_req, res) => {
    res.type('jpeg').send(await scale(join(images, 'source.jpg')).toBuffer());
  });
  app.get('/delayed.jpg', async (_req, res) => {
    await sleep(300);
    res.type('jpeg').send(readFileSync(join(images, '20kb.jpg')));
  });
  app.get('/quick.jpg', async (_req, res) => {
    await sleep(25);
    res.type('jpeg').send(readFileSync(join(images, '20kb.jpg')));
  });
  // Never answers.
  app.get('/stuck.jpg', () => undefined);
  for (const file of ['20kb.jpg', '200kb.jpg', '5mb.jpg', 'huge.jpg']) {
    const image = readFileSync(join(images, file));
    const save = HAND_WRITTEN[name];
    if (save !== undefined) app.get(`/${file}`, saveRoute(save, image, options));
    app.get(`/${file}`, (_req, res) => {
      res.type('jpeg').set('Content-Length', String(image.length)).end(image);
    });
  }
  return app;
}

/** Milliseconds of processor time since the start, decoder processes included, once the last requests have ended. */
async function readCpu(): Promise<number> {
  await sleep(5);
  const { user, system } = process.cpuUsage();
  // Where `/proc` does not name the decoder processes, they are left out. (proc(5))
  const path = `/proc/self/task/${process.pid}/children`;
  const pids = existsSync(path) ? readFileSync(path, 'utf8').split(' ').filter(Boolean) : [];
  const ticks = pids.map((pid) => {
    // The name of the program, in brackets, may contain spaces.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ');
    return Number(fields[11]) + Number(fields[12]);
  });
  // 100 ticks in a second, on every Linux.
  return ticks.reduce((sum, each) => sum + 10 * each, (user + system) / 1000);
}

async function listen(app: Express): Promise<number> {
  const server = app.listen(0, '127.0.0.1');
  // The client's connections stay open between samples.
  server.keepAliveTimeout = 0;
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

process.send?.(await Promise.all((JSON.parse(apps) as AppSettings[]).map(createApp).map(listen)));
process.once('disconnect', () => process.exit());
