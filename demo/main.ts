// The entry point of `npm run demo`: starts the server, saves a first image, and keeps serving.

import { once } from 'node:events';
import { mkdir, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type * as ImageSave from '../lib/index.js';
import type * as App from './app.js';

// By `require`: the ESM build of sharp does not load in Node 20.9.
const require = createRequire(import.meta.url);
const { parseReply } = require('../lib/index.ts') as typeof ImageSave;
const { createApp } = require('./app.ts') as typeof App;

const savePath = path.resolve(process.env['SAVE_PATH'] ?? fileURLToPath(new URL('saved', import.meta.url)));
await mkdir(savePath, { recursive: true });

const server = createServer(createApp(savePath));
const origin = await listen(process.env['PORT'] ?? '3000');
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => server.close());
await saveFirstImage();
console.log(`Serving until Ctrl-C. Try these:

  Open the page  ${origin}/
  Render         ${origin}/is/image/dunes?wid=800&hei=800&fit=crop
  Save a PNG     ${origin}/is/image/shoe?wid=600&fmt=png-alpha&req=saveToFile&name=shoe.png
  Save a WebP    ${origin}/is/image/aurora?hei=900&fmt=webp&qlt=70&req=saveToFile&name=aurora.webp
  Get a refusal  ${origin}/is/image/shoe?req=saveToFile&name=../shoe.jpg
  View a file    ${origin}/saved/harbour.jpg

Or save a whole set from another terminal:

  npx tsx lib/cli.ts batch --server ${origin} --url "/is/image/{picture}?wid={wid}&fmt={fmt}" --name "{picture}-{wid}.{fmt}" --set picture=aurora,dunes --set wid=320,640 --set fmt=jpeg,webp`);

async function listen(port: string): Promise<string> {
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65535) {
    return stop(`PORT must be a number from 0 to 65535, not '${port}'. For example: PORT=3001 npm run demo`);
  }
  try {
    server.listen(Number(port), '127.0.0.1');
    await once(server, 'listening');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const reason = code === 'EADDRINUSE' ? 'is in use' : `cannot be used (${code})`;
    return stop(
      `Port ${port} ${reason}. Choose another one: PORT=${port === '3001' ? 3002 : 3001} npm run demo`,
    );
  }
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function saveFirstImage(): Promise<void> {
  const url = `${origin}/is/image/harbour?wid=800&req=saveToFile&name=harbour.jpg`;
  console.log(`$ curl '${url}'`);
  const reply = await (await fetch(url)).text();
  console.log(reply);
  if (parseReply(reply).status !== 'done') stop('The first image was not saved: see the reply above.');

  const file = path.join(savePath, 'harbour.jpg');
  console.log(`Saved ${path.relative(process.cwd(), file)}, ${(await stat(file)).size} bytes.\n`);
}

function stop(message: string): never {
  console.error(message);
  process.exit(1);
}
