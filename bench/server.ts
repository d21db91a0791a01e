// The server, in a process of its own: one Express app, on a port of its own, for each variant that it is asked for.
import express, { type Express, type RequestHandler } from 'express';
import { imageSave } from 'express-image-save';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import {
  saveWithAllPromises,
  saveByHand,
  saveRaw,
  saveWithWriteFileAtomic,
  type SavingOptions,
} from './by-hand.js';
import { putInto, storeIn, storeInto, type Bucket, type SaveAs } from './bucket.js';
import { answer, settings } from './helper.js';
import { hasServer, type Kind } from './kinds.js';
import { rendererFor, type Source } from './renderers.js';

/** One variant, as its process is told of it. */
export interface Variant extends SavingOptions {
  readonly kind: Kind;
  readonly source: Source;
  /** Where it saves to instead of to the root. */
  readonly bucket?: Bucket;
}

/** So many saves without a server, so many at once, into this folder of the root or of the bucket. */
export interface RawRun {
  /** Which of the variants. */
  readonly index: number;
  readonly label: string;
  readonly requests: number;
  readonly connections: number;
}

const variants = settings() as readonly Variant[];

function appFor({ kind, source, root, bucket, verify, durable }: Variant): Express {
  const app = express();
  const options = { root, verify, durable };
  const handWritten = handlerFor(kind, source, options);
  if (kind === 'no-op') {
    app.use('/image', (_req, _res, next) => {
      next();
    });
  }
  if (kind === 'image-save') {
    const place = bucket === undefined ? { savePath: root } : { store: storeIn(bucket) };
    const limits = { maxPixels: Number.MAX_SAFE_INTEGER, maxBytes: 2 ** 33 };
    app.use('/image', imageSave({ ...place, verify, durable, ...limits }));
  }
  app.get('/image/*name', handWritten ?? rendererFor(source));
  return app;
}

function handlerFor(kind: Kind, source: Source, options: SavingOptions): RequestHandler | undefined {
  if (!('file' in source)) return undefined;
  switch (kind) {
    case 'by-hand':
      return saveByHand(source.file, options);
    case 'all-promises':
      return saveWithAllPromises(source.file, options);
    case 'write-file-atomic':
      return saveWithWriteFileAtomic(source.file, options);
    default:
      return undefined;
  }
}

async function listen(variant: Variant): Promise<number> {
  if (!hasServer(variant.kind)) return 0;
  const server = createServer(appFor(variant));
  server.listen({ port: 0, host: '127.0.0.1', backlog: 1024 });
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

function makeSaveAs({ kind, source, root, bucket, durable }: Variant): SaveAs | Promise<SaveAs> {
  if (!('file' in source)) throw new Error('There is nothing to save');
  const image = readFileSync(source.file);
  if (bucket === undefined) return (name) => saveRaw(image, join(root, name), durable);
  return kind === 'put' ? putInto(bucket, image) : storeInto(bucket, image);
}

const ways = new Map<number, SaveAs>();

/** Made once: a client keeps its connections. */
async function savesOf(index: number): Promise<SaveAs> {
  const variant = variants[index];
  if (variant === undefined) throw new Error('There is no such variant');
  const way = ways.get(index) ?? (await makeSaveAs(variant));
  ways.set(index, way);
  return way;
}

answer({
  /** The ports, in the order of the variants. */
  listen: () => Promise.all(variants.map(listen)),
  /** Saves without a server, in microseconds. */
  raw: async ({ index, label, requests, connections }: RawRun) => {
    const save = await savesOf(index);
    let begun = 0;
    const begin = process.hrtime.bigint();
    await Promise.all(
      Array.from({ length: connections }, async () => {
        while (begun < requests) await save(`${label}/${begun++}.jpg`);
      }),
    );
    return Number(process.hrtime.bigint() - begin) / 1000;
  },
});
