// Every way to respond × every host × the usual middleware: the saved bytes are those that would be delivered. Each way
// once more after the reply: it does no harm.
import { createReadStream, readFileSync, writeFileSync, type ReadStream } from 'node:fs';
import { Agent, get as httpGet, OutgoingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { Readable, pipeline } from 'node:stream';
import { pipeline as pipelineAsync } from 'node:stream/promises';
import { gunzipSync, gzipSync } from 'node:zlib';
import compression from 'compression';
import express from 'express';
import session from 'express-session';
import helmet from 'helmet';
import morgan from 'morgan';
import onHeaders from 'on-headers';
import sharp from 'sharp';
import { imageSave, saveOf } from '../../lib/index.js';
import { get } from './client.js';
import { createDeferred } from './deferred.js';
import { hosts, start, stopAll, type Handler } from './host.js';
import { jpeg, png } from './images.js';
import { list, makeTempDir, removeTempDirs } from './temp-dir.js';

const source = makeTempDir();
const small = join(source, 'small.jpg');
const large = join(source, 'large.png');
let smallBytes: Buffer;
let largeBytes: Buffer;
/** They stay open when their response has ended, and Windows would keep their folder. */
const piped: ReadStream[] = [];

/** The server behind the proxy. A late proxy reads nothing, so the file is open until the server is closed. */
const upstream: Handler = (req, res) =>
  pipeline(createReadStream(join(source, req.url ?? '')), res.writeHead(200), () => undefined);

/** Writes in pieces and waits for `drain` when the stream is full. */
async function writeInPieces(res: ServerResponse, bytes: Buffer, size: number): Promise<void> {
  for (let at = 0; at < bytes.length; at += size) {
    if (!res.write(bytes.subarray(at, at + size))) await new Promise((resolve) => res.once('drain', resolve));
  }
  res.end();
}

const ways: Record<string, Handler> = {
  'end(buffer)': (_req, res) => res.end(smallBytes),
  'end(large buffer)': (_req, res) => res.end(largeBytes),
  'end(Uint8Array)': (_req, res) => res.end(new Uint8Array(smallBytes)),
  'end(string, encoding)': (_req, res) => res.end(smallBytes.toString('latin1'), 'latin1'),
  'end(buffer, callback)': (_req, res) => res.end(smallBytes, () => undefined),
  'write and end': (_req, res) => {
    res.write(smallBytes.subarray(0, 100));
    res.end(smallBytes.subarray(100));
  },
  'write(base64) and end(buffer)': (_req, res) => {
    res.write(smallBytes.subarray(0, 99).toString('base64'), 'base64');
    res.end(smallBytes.subarray(99));
  },
  'write with callbacks, one buffer used again and again': (_req, res) => {
    const piece = Buffer.alloc(1000);
    const next = (at: number): void => {
      if (at >= smallBytes.length) {
        res.end();
        return;
      }
      const size = smallBytes.copy(piece, 0, at);
      res.write(piece.subarray(0, size), () => {
        piece.fill(0);
        next(at + size);
      });
    };
    next(0);
  },
  'write and drain': (_req, res) => writeInPieces(res, largeBytes, 50_000),
  'write without waiting': (_req, res) => {
    for (let at = 0; at < largeBytes.length; at += 10_000) res.write(largeBytes.subarray(at, at + 10_000));
    res.end();
  },
  'cork, write, uncork, end': (_req, res) => {
    res.cork();
    res.write(smallBytes.subarray(0, 10));
    res.write(smallBytes.subarray(10));
    res.uncork();
    res.end();
  },
  'writeHead with an object': (_req, res) => {
    res.writeHead(200, { 'content-type': 'image/jpeg', 'content-length': smallBytes.length });
    res.end(smallBytes);
  },
  'writeHead with a message and an array': (_req, res) => {
    res.writeHead(200, 'Fine', ['Content-Type', 'image/jpeg', 'Content-Length', String(smallBytes.length)]);
    res.end(smallBytes);
  },
  'flushHeaders first': (_req, res) => {
    res.setHeader('content-type', 'image/jpeg');
    res.flushHeaders();
    setImmediate(() => res.end(smallBytes));
  },
  'informational responses first': (_req, res) => {
    res.writeContinue();
    res.writeProcessing();
    res.writeEarlyHints({ link: '</x.css>; rel=preload' }, () => res.end(smallBytes));
  },
  'Content-Length and ETag set': (_req, res) => {
    res.setHeader('ETag', '"abc"');
    res.setHeader('Last-Modified', new Date(0).toUTCString());
    res.setHeader('Content-Length', smallBytes.length);
    res.end(smallBytes);
  },
  'pipe from a file': (_req, res) => {
    const file = createReadStream(large, { highWaterMark: 7000 });
    piped.push(file);
    file.pipe(res);
  },
  'pipeline from a file': (_req, res) => {
    pipeline(createReadStream(large), res, () => undefined);
  },
  'pipeline from a generator': (_req, res) =>
    pipelineAsync(async function* () {
      for (let at = 0; at < largeBytes.length; at += 70_000) {
        yield largeBytes.subarray(at, at + 70_000);
        await new Promise(setImmediate);
      }
    }, res),
  'pipe from sharp': (_req, res) => sharp(smallBytes).resize(100).png().pipe(res),
  'Readable.from': (_req, res) =>
    Readable.from([smallBytes.subarray(0, 9), smallBytes.subarray(9)]).pipe(res),
  'a proxy': async (_req, res) => {
    const { url } = await start([upstream]);
    httpGet(`${url}/large.png`, (from) => {
      res.writeHead(from.statusCode ?? 500, from.headers);
      from.pipe(res);
    });
  },
  'an async handler': async (_req, res) => {
    await new Promise(setImmediate);
    res.end(await sharp(smallBytes).resize(64).webp().toBuffer());
  },
  'a cookie set past the response’s methods, as cookies does': (_req, res) => {
    const cookies = (res.getHeader('Set-Cookie') as string[] | undefined) ?? [];
    OutgoingMessage.prototype.setHeader.call(res, 'Set-Cookie', [...cookies, 'a=b']);
    res.end(smallBytes);
  },
  'gzipped by the renderer': (_req, res) => {
    res.setHeader('Content-Encoding', 'gzip');
    res.end(gzipSync(smallBytes));
  },
};

const send: express.RequestHandler = (_req, res) => {
  res.type('jpeg').send(smallBytes);
};
const expressWays = {
  'res.send': send,
  'res.send of a large image': (_req, res) => res.type('png').send(largeBytes),
  'res.sendFile': (_req, res) => {
    res.sendFile(large);
  },
  'res.download': (_req, res) => {
    res.download(large);
  },
  'express.static': (req, res, next) => {
    req.url = req.url.replace(/^[^?]*/, '/large.png');
    express.static(source)(req, res, next);
  },
  'a router': express.Router().get('/image', send),
  'another app': express().use(send),
} satisfies Record<string, express.RequestHandler> as object as Record<string, Handler>;

const compress = (): Handler => compression({ filter: () => true, threshold: 0 }) as Handler;
const sessions = (): Handler =>
  session({ secret: 'for tests', resave: true, saveUninitialized: true, cookie: {} }) as unknown as Handler;
const onHeadersSet: Handler = (_req, res, next) => {
  onHeaders(res, function () {
    this.setHeader('x-on-headers', 'yes');
  });
  next();
};

/** What is mounted before the middleware, and after it. */
const around: Record<string, () => [before: Handler[], after: Handler[]]> = {
  nothing: () => [[], []],
  'compression before': () => [[compress()], []],
  'compression after': () => [[], [compress()]],
  'sessions before': () => [[sessions()], []],
  'sessions after': () => [[], [sessions()]],
  'header listeners on both sides': () => [[onHeadersSet], [onHeadersSet]],
  'helmet and morgan': () => [[helmet()], [morgan('tiny', { stream: { write: () => undefined } })]],
};

async function expectSavedAsDelivered(host: string, surroundings: string, renderer: Handler): Promise<void> {
  const [before, after] = around[surroundings]!();
  const folder = makeTempDir();
  const { url } = await start([...before, imageSave({ savePath: folder }), ...after, renderer], host);
  const delivered = await get(`${url}/image?wid=1`);
  expect(delivered.status).toBe(200);

  const saved = await get(`${url}/image?wid=1&req=saveToFile&name=image`);
  expect(saved.body.toString('latin1')).toContain('status=done');
  expect(saved.status).toBe(200);
  const bytes = readFileSync(join(folder, 'image'));
  expect(list(folder)).toEqual(['image']);
  // An encoded response is delivered encoded and saved decoded.
  const expected = delivered.headers['content-encoding'] === undefined ? delivered.body : smallBytes;
  expect(bytes.equals(expected)).toBe(true);
  expect(saved.reply.image?.length).toBe(bytes.length);
  for (const header of ['etag', 'last-modified', 'content-encoding']) {
    expect(saved.headers[header]).toBeUndefined();
  }
  expect(saved.headers['content-type']).toBe('text/plain');
  expect(Number(saved.headers['content-length'])).toBe(saved.body.length);
}

/** With a client gone, Node's streams report these errors too. */
const OF_A_LOST_CLIENT = ['ERR_STREAM_PREMATURE_CLOSE', 'ERR_STREAM_DESTROYED', 'ERR_STREAM_UNABLE_TO_PIPE'];

async function expectHarmlessAfterReply(host: string, renderer: Handler): Promise<void> {
  const errors: unknown[] = [];
  const note = (error: unknown): void => {
    if (!OF_A_LOST_CLIENT.includes((error as NodeJS.ErrnoException).code ?? '')) errors.push(error);
  };
  const replied = createDeferred();
  const { url, server } = await start(
    [
      imageSave({ savePath: makeTempDir() }),
      async (req, res, next) => {
        const save = saveOf(res);
        save?.refuse();
        if (save !== undefined) await replied.promise;
        try {
          await renderer(req, res, next);
        } catch (error) {
          note(error);
        }
      },
      // Express calls functions of four parameters with errors.
      Object.defineProperty(note, 'length', { value: 4 }),
    ],
    host,
  );
  const connections: unknown[] = [];
  server.on('connection', (socket) => connections.push(socket));
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const refused = await get(`${url}/image?req=saveToFile&name=image`, { agent });
  expect(refused.reply.error?.code).toBe('renderer-refused');
  replied.resolve();
  // The same way once more takes longer than the late one needs to fail.
  const { status, body, headers } = await get(`${url}/image`, { agent });
  expect([status, errors, connections.length]).toEqual([200, [], 1]);
  const bytes = headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body;
  expect((await sharp(bytes).metadata()).width).toBeGreaterThan(0);
  agent.destroy();
}

/** One row of the table. */
export interface Combination {
  readonly host: string;
  readonly surroundings: string;
  readonly way: string;
}

/** The whole table. */
export const combinations: readonly Combination[] = Object.keys(hosts).flatMap((host) =>
  Object.keys(around).flatMap((surroundings) =>
    Object.keys(waysIn(host)).map((way) => ({ host, surroundings, way })),
  ),
);

/** Rows that have every two of host, surroundings and way together at least once. */
export function pairs(): Combination[] {
  const [all, everySurroundings] = [Object.keys({ ...ways, ...expressWays }), Object.keys(around)];
  return all.flatMap((way, row) => {
    const able = Object.keys(hosts).filter((host) => way in waysIn(host));
    return everySurroundings.map((surroundings, column) => ({
      host: able[(row + column) % able.length] ?? '',
      surroundings,
      way,
    }));
  });
}

function waysIn(host: string): Record<string, Handler> {
  return host.startsWith('Express') ? { ...ways, ...expressWays } : ways;
}

/** Makes a test of each row. Call it once, at the top of a file. */
export function testCombinations(rows: readonly Combination[]): void {
  beforeAll(async () => {
    smallBytes = await jpeg();
    largeBytes = await png(760, 560);
    // More than a save keeps in memory.
    expect(largeBytes.length).toBeGreaterThan(1024 * 1024);
    writeFileSync(small, smallBytes);
    writeFileSync(large, largeBytes);
  });
  afterEach(stopAll);
  afterEach(() => {
    for (const file of piped.splice(0)) file.destroy();
  });
  afterAll(removeTempDirs);
  test.each(rows)(
    'in $host with $surroundings, saves the bytes of $way that it would have delivered',
    async ({ host, surroundings, way }) => {
      await expectSavedAsDelivered(host, surroundings, waysIn(host)[way]!);
    },
  );
}

/** Makes a test of each way after the reply, in Express 5 and, where it is Express's own, in Express 4. Call it after {@link testCombinations}, whose files it needs. */
export function testAfterReply(): void {
  const rows = [
    ...Object.keys({ ...ways, ...expressWays }).map((way) => ({ host: 'Express 5', way })),
    ...Object.keys(expressWays).map((way) => ({ host: 'Express 4', way })),
  ];
  test.each(rows)(
    'in $host, $way after the reply disturbs neither the host nor the next request',
    async ({ host, way }) => {
      await expectHarmlessAfterReply(host, waysIn(host)[way]!);
    },
  );
}
