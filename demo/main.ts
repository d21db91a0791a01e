// The program `express-image-save demo`: starts the server, saves a first image, and keeps serving.

import { once } from 'node:events';
import { mkdirSync, mkdtempSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseReply } from '../lib/index.js';
import { createDemo } from './server.js';

const COMMAND =
  process.env['npm_lifecycle_event'] === 'demo' ? 'npm run demo' : 'npx express-image-save demo';

const server = createServer();
const origin = await listen(process.env['PORT'] ?? '3000');
// Not before it is certain that the demo can serve: a folder would be left behind.
const savePath = makeFolder(process.env['SAVE_PATH']);
server.on('request', createDemo(savePath));
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => server.close());
}
// It also starts a decoder, so that the visitor's first save need not wait for one.
await saveFirstImage();
console.log(`Open the page:   ${origin}/

Or, in another terminal:

  Save a WebP      curl '${origin}/is/image/aurora?hei=900&fmt=webp&qlt=70&req=saveToFile&name=aurora.webp'
  Get a refusal    curl '${origin}/is/image/shoe?req=saveToFile&name=../shoe.jpg'
  View a file      ${origin}/saved/harbour.jpg
  Save a set       npx express-image-save batch --server ${origin} --url "/is/image/{picture}?wid={wid}&fmt={fmt}" --name "{picture}-{wid}.{fmt}" --set picture=aurora,dunes --set wid=320,640 --set fmt=jpeg,webp

Saved images are in ${savePath}. Ctrl-C ends the demo.`);

async function listen(port: string): Promise<string> {
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65535) {
    return stop(`PORT must be a number from 0 to 65535, not '${port}'. For example: PORT=3001 ${COMMAND}`);
  }
  try {
    server.listen(Number(port), '127.0.0.1');
    await once(server, 'listening');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const reason = code === 'EADDRINUSE' ? 'is in use' : `cannot be used (${code})`;
    return stop(
      `Port ${port} ${reason}. Choose another one: PORT=${port === '3001' ? 3002 : 3001} ${COMMAND}`,
    );
  }
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function makeFolder(folder: string | undefined): string {
  try {
    if (folder === undefined) return mkdtempSync(path.join(tmpdir(), 'express-image-save-'));
    mkdirSync(folder, { recursive: true });
    return path.resolve(folder);
  } catch (error) {
    return stop(
      `There is no folder to save to: ${(error as Error).message}. Name one: SAVE_PATH=./saved ${COMMAND}`,
    );
  }
}

async function saveFirstImage(): Promise<void> {
  const url = `${origin}/is/image/harbour?wid=800&req=saveToFile&name=harbour.jpg`;
  console.log(`$ curl '${url}'`);
  const reply = await (await fetch(url)).text();
  console.log(reply);
  if (parseReply(reply).status !== 'done') stop('The first image was not saved: see the reply above.');
}

function stop(message: string): never {
  console.error(message);
  process.exit(1);
}
