// One of the processes that save: a renderer of small numbered pictures, and in front of it the middleware.

import { createHash } from 'node:crypto';
import express from 'express';
import sharp from 'sharp';
import { imageSave } from '../../lib/index.js';
import { s3Store } from '../../lib/s3.js';
import { placeInStore } from './bucket.js';

const SIZE = { width: 48, height: 32, channels: 3 } as const;

/** Draws a picture of noise that no other number has. The same number is the same picture, to the byte. */
export function draw(number: number): Promise<Buffer> {
  const outputLength = SIZE.width * SIZE.height * SIZE.channels;
  const pixels = createHash('shake256', { outputLength }).update(String(number)).digest();
  return sharp(pixels, { raw: SIZE }).png().toBuffer();
}

export function serve(): void {
  const app = express();
  app.use('/is/image', imageSave({ store: s3Store(placeInStore()) }));
  app.get('/is/image/:number', async (req, res) => {
    res.type('png').send(await draw(Number(req.params.number)));
  });
  // Port 0 is one and the same free port for all processes of a cluster.
  app.listen(0, '127.0.0.1');
  // Ctrl-C reaches all processes at once: the first one ends the others.
  process.on('SIGINT', () => undefined);
}
