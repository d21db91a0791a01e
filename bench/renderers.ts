// What stands behind every variant: a renderer that sends an image, ready-made or made for each request.
import type { Request, RequestHandler, Response } from 'express';
import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import sharp from 'sharp';
import { picture, piecesOf } from '../spec/faults/support/picture.js';

/** What is sent, and how. */
export type Source =
  /** A file's bytes, read once, sent in one of the usual ways. */
  | { readonly file: string; readonly by: 'end' | 'send' | 'pipe' }
  /** A TIFF of as many bytes as the request's `bytes=` says, made while it is sent. */
  | { readonly stream: true }
  /** A file, scaled to this width for each request. */
  | { readonly scale: string; readonly width: number };

export function rendererFor(source: Source): RequestHandler {
  if ('stream' in source) return streamTiff;
  const bytes = readFileSync('file' in source ? source.file : source.scale);
  if ('scale' in source) {
    return async (_req, res) => {
      const image = await sharp(bytes).resize(source.width).jpeg().toBuffer();
      res.type('jpeg').send(image);
    };
  }
  const type = /\.(\w+)$/.exec(source.file)?.[1] ?? '';
  const ways: Record<typeof source.by, (res: Response) => void> = {
    end: (res) => res.end(bytes),
    send: (res) => res.send(bytes),
    pipe: (res) => Readable.from(pieces(bytes)).pipe(res),
  };
  const way = ways[source.by];
  return (_req, res) => {
    // The client reads as much as is announced.
    res.type(type).set('Content-Length', String(bytes.length));
    way(res);
  };
}

/** As a file arrives that is read. */
function* pieces(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
}

async function streamTiff(req: Request, res: Response): Promise<void> {
  const image = picture(1, Number(req.query['bytes']));
  res.type('tiff').set('Content-Length', String(image.head.length + image.pixels));
  await pipeline(Readable.from(piecesOf(image)), res);
}
