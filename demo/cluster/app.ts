// The server in each process: a renderer of small numbered pictures, with the middleware in front.

import { createHash } from 'node:crypto';
import express from 'express';
import sharp from 'sharp';
import { imageSave } from '../../lib/index.js';
import { s3Store } from '../../lib/s3.js';
import { getBucketLocation } from './bucket.js';

const SIZE = { width: 48, height: 32, channels: 3 } as const;

/** Draws a picture of noise. The same number gives the same bytes, and each number a picture of its own. */
export function draw(number: number): Promise<Buffer> {
  const outputLength = SIZE.width * SIZE.height * SIZE.channels;
  const pixels = createHash('shake256', { outputLength }).update(String(number)).digest();
  return sharp(pixels, { raw: SIZE }).png().toBuffer();
}

export function serve(): void {
  const app = express();
  app.use('/is/image', imageSave({ store: s3Store(getBucketLocation()) }));
  app.get('/is/image/:number', async (req, res) => {
    res.type('png').send(await draw(Number(req.params.number)));
  });
  // With port 0, all processes of a cluster share one free port.
  app.listen(0, '127.0.0.1');
  // Ctrl-C reaches every process. The primary process ends the others.
  process.on('SIGINT', () => undefined);
}
