// The server, in a process of its own: one Express app, on a port of its own, for each variant that it is asked for.
import express, { type Express, type RequestHandler } from 'express';
import { imageSave } from 'express-image-save';
import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import {
  saveByDescriptor,
  saveByHand,
  saveRaw,
  saveWithWriteFileAtomic,
  type SavingOptions,
} from './by-hand.js';
import { answer, settings } from './helper.js';
import { rendererFor, type Source } from './renderers.js';

/** What answers the requests. */
export type Kind =
  | 'bare'
  | 'no-op'
  | 'image-save'
  | 'by-hand'
  | 'by-descriptor'
  | 'write-file-atomic'
  /** No server at all: see {@link RawRun}. */
  | 'raw';

/** One variant, as its process is told of it. */
export interface Variant extends SavingOptions {
  readonly kind: Kind;
  readonly source: Source;
}

/** So many saves, so many at once, into this folder. */
export interface RawRun {
  readonly folder: string;
  readonly requests: number;
  readonly connections: number;
}

const variants = settings() as readonly Variant[];

function appFor({ kind, source, root, verify, durable }: Variant): Express {
  const app = express();
  const options = { root, verify, durable };
  const handWritten = handlerFor(kind, source, options);
  if (kind === 'no-op') {
    app.use('/image', (_req, _res, next) => {
      next();
    });
  }
  if (kind === 'image-save') {
    const limits = { maxPixels: Number.MAX_SAFE_INTEGER, maxBytes: 2 ** 33 };
    app.use('/image', imageSave({ savePath: root, verify, durable, ...limits }));
  }
  app.get('/image/*name', handWritten ?? rendererFor(source));
  return app;
}

function handlerFor(kind: Kind, source: Source, options: SavingOptions): RequestHandler | undefined {
  if (!('file' in source)) return undefined;
  switch (kind) {
    case 'by-hand':
      return saveByHand(source.file, options);
    case 'by-descriptor':
      return saveByDescriptor(source.file, options);
    case 'write-file-atomic':
      return saveWithWriteFileAtomic(source.file, options);
    default:
      return undefined;
  }
}

async function listen(variant: Variant): Promise<number> {
  if (variant.kind === 'raw') return 0;
  const server = createServer(appFor(variant));
  server.listen({ port: 0, host: '127.0.0.1', backlog: 1024 });
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

answer({
  /** The ports, in the order of the variants. */
  listen: () => Promise.all(variants.map(listen)),
  /** Saves without a server, in microseconds. */
  raw: async ({ folder, requests, connections }: RawRun) => {
    const [variant] = variants;
    if (variant === undefined || !('file' in variant.source)) throw new Error('There is nothing to save');
    const image = readFileSync(variant.source.file);
    mkdirSync(folder, { recursive: true });
    let begun = 0;
    const begin = process.hrtime.bigint();
    await Promise.all(
      Array.from({ length: connections }, async () => {
        while (begun < requests) await saveRaw(image, join(folder, `${begun++}.jpg`), variant.durable);
      }),
    );
    return Number(process.hrtime.bigint() - begin) / 1000;
  },
});
