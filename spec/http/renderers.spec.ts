// Renderers that misbehave, are late or inspect the response: their view of it, and the client's reply.
import { createReadStream, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { Agent, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { Readable, finished, pipeline } from 'node:stream';
import { pipeline as pipelineAsync } from 'node:stream/promises';
import express from 'express';
import { saveOf } from '../../lib/index.js';
import { get, type Answer } from '../support/client.js';
import { createDeferred, eventually } from '../support/deferred.js';
import { endless, refusedRenderings } from '../support/renderings.js';
import { list, makeTempDir, descriptorsBelow, testOnLinux } from '../support/temp-dir.js';
import { hosts, type Handler } from '../support/host.js';
import { SAVE, useSaveFixture } from '../support/use-save-fixture.js';

const { image, folder, records, serve, save } = useSaveFixture();

/** A file longer than all buffers between the disk and a client together. */
function largeFile(): string {
  const file = join(makeTempDir(), 'large');
  writeFileSync(file, '');
  truncateSync(file, 1e8);
  return file;
}

/** Ends the save as a deadline would, but after the renderer was called, so the machine's speed does not matter. */
function endSoon(res: ServerResponse): unknown {
  return setTimeout(() => saveOf(res)?.refuse(), 20);
}

function expectDone(answer: Answer): void {
  expect(answer.reply).toMatchObject({ status: 'done' });
  expect(answer.status).toBe(200);
  expect(readFileSync(join(folder(), 'x.jpg')).equals(image())).toBe(true);
}

async function expectRefused(answer: Answer, code: string, status = 'failed'): Promise<void> {
  expect(answer.reply).toMatchObject({ status, error: { code } });
  expect(answer.status).toBe(403);
  // On a slow disk the reply does not wait for the cleanup.
  await eventually(() => list(folder()).length === 0);
}

/** Calls Node's own method of a response, past every replacement. */
function callNodes(method: 'write' | 'end', res: ServerResponse, ...args: unknown[]): unknown {
  return Reflect.apply(Reflect.get(ServerResponse.prototype, method) as () => unknown, res, args);
}

describe('the captured response', () => {
  test('end and writeHead return the response', async () => {
    const seen = createDeferred<unknown[]>();
    const answer = await save((_req, res) => {
      seen.resolve(
        [res.setHeader('a', 'b'), res.writeHead(200), res.end(image())].map((value) => value === res),
      );
    });
    expect(await seen.promise).toEqual([true, true, true]);
    expectDone(answer);
  });

  test('calls the callbacks of write and end in order, then emits finish and close', async () => {
    const seen: string[] = [];
    const closed = createDeferred();
    const answer = await save((_req, res) => {
      res.on('finish', function (this: unknown) {
        seen.push(this === res ? 'finish' : 'finish of something else');
      });
      res.on('close', () => {
        seen.push('close');
        closed.resolve();
      });
      res.write(image().subarray(0, 10), () => seen.push('write'));
      res.end(image().subarray(10), () => seen.push('end'));
    });
    await closed.promise;
    expect(seen.slice(0, 1)).toEqual(['write']);
    expect([...seen].sort()).toEqual(['close', 'end', 'finish', 'write']);
    expect(seen.at(-1)).toBe('close');
    expectDone(answer);
  });

  test('shows headersSent, writableEnded, finished and headers of the rendered response', async () => {
    const seen = createDeferred<unknown[]>();
    const answer = await save(
      (_req, res) => {
        const before = [res.headersSent, res.writableEnded, res.getHeader('x-before')];
        res.setHeader('X-Mine', 'a');
        res.write(image().subarray(0, 10));
        const between = [res.headersSent, res.writableEnded, res.hasHeader('x-mine'), res.statusCode];
        res.end(image().subarray(10));
        // eslint-disable-next-line @typescript-eslint/no-deprecated
        seen.resolve([...before, ...between, res.writableEnded, res.finished]);
      },
      {
        before: [
          (_req, res, next) => {
            res.setHeader('X-Before', 'b');
            next();
          },
        ],
      },
    );
    expect(await seen.promise).toEqual([false, false, 'b', true, false, true, 200, true, true]);
    expectDone(answer);
    expect(answer.headers['x-mine']).toBeUndefined();
    expect(answer.headers['x-before']).toBe('b');
  });

  test.each<[string, (res: ServerResponse) => void]>([
    ['end', (res) => void callNodes('end', res, image())],
    [
      'write and end',
      (res) => {
        callNodes('write', res, image().subarray(0, 9));
        callNodes('write', res, image().subarray(9));
        callNodes('end', res);
      },
    ],
    [
      'a wrapper that calls it',
      (res) => {
        res.end = function (...args: unknown[]) {
          return callNodes('end', res, ...args) as typeof res;
        };
        res.end(image());
      },
    ],
  ])('is captured from a call of Node’s own method: %s', async (_way, send) => {
    let finishes = 0;
    expectDone(
      await save((_req, res) => {
        res.on('finish', () => (finishes += 1));
        send(res);
      }),
    );
    expect(finishes).toBe(1);
  });

  test('takes the headers of writeHead as pairs', async () => {
    const pairs = [
      ['Content-Type', 'image/jpeg'],
      ['X-Picture', '1'],
    ];
    let seen: unknown;
    expectDone(
      await save(
        (_req, res) => {
          res.writeHead(200, pairs as unknown as string[]);
          seen = res.getHeader('X-Picture');
          res.end(image());
        },
        { host: 'connect' },
      ),
    );
    expect(seen).toBe('1');
  });

  test('throws Node’s error for a header set after the head', async () => {
    const seen = createDeferred<unknown>();
    await save((_req, res) => {
      res.write(image().subarray(0, 10));
      try {
        res.setHeader('x', 'y');
      } catch (error) {
        seen.resolve((error as NodeJS.ErrnoException).code);
      }
      res.end(image().subarray(10));
    });
    expect(await seen.promise).toBe('ERR_HTTP_HEADERS_SENT');
  });

  test('has a socket with the client’s address and a timeout that can be set', async () => {
    const seen = createDeferred<unknown[]>();
    const answer = await save((req, res) => {
      req.setTimeout(60_000);
      res.setTimeout(60_000);

      seen.resolve([
        req.socket.remoteAddress,
        res.socket?.remoteAddress,
        req.socket === res.socket,
        // eslint-disable-next-line @typescript-eslint/no-deprecated
        res.connection === req.connection,
      ]);
      res.end(image());
    });
    expect(await seen.promise).toEqual(['127.0.0.1', '127.0.0.1', true, true]);
    expectDone(answer);
  });

  test('saveOf returns the save of a command and undefined on an ordinary request', async () => {
    const seen: unknown[] = [];
    const { url } = await save((_req, res) => {
      seen.push(saveOf(res)?.name, saveOf(res)?.signal.aborted);
      res.end(image());
    });
    await get(`${url}/x`);
    expect(seen).toEqual(['x.jpg', false, undefined, undefined]);
  });

  test('spares Express the hash for an ETag', async () => {
    let hashed = 0;
    const app = express();
    app.set('etag', () => {
      hashed++;
      return '"x"';
    });
    app.use((_req, res) => {
      res.send(image());
    });
    const { url } = await serve(app as Handler);
    expectDone(await get(url + SAVE));
    expect(hashed).toBe(0);
    expect((await get(`${url}/`)).headers.etag).toBe('"x"');
    expect(hashed).toBe(1);
  });
});

describe('a renderer that acts twice or too late', () => {
  test('saves once when the renderer calls end twice', async () => {
    const again = createDeferred<unknown>();
    const answer = await save((_req, res) => {
      res.end(image());
      res.end(Buffer.from('more'), () => {
        again.resolve('called');
      });
    });
    expectDone(answer);
    expect(await again.promise).toBe('called');
    expect(records).toHaveLength(1);
  });

  test('goes past the response to Node’s own methods: neither the client nor the process notices', async () => {
    let late: ServerResponse | undefined;
    const { url } = await serve((_req, res) => endSoon((late = res)));
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    expect((await get(url + SAVE, { agent })).reply.status).toBe('failed');
    const failures: unknown[] = [];
    callNodes('write', late!, 'late', (error: unknown) => failures.push(error));
    callNodes('end', late!, 'late');
    expect((await get(url + SAVE, { agent })).reply.status).toBe('failed');
    expect(failures).toEqual([expect.objectContaining({ code: 'ERR_STREAM_DESTROYED' })]);
    agent.destroy();
  });

  test('sets a timeout, which does not reach the connection’s next request', async () => {
    let waiting: ServerResponse | undefined;
    const { server, url } = await serve((_req, res) => endSoon((waiting = res)));
    const connections: Socket[] = [];
    server.on('connection', (socket: Socket) => connections.push(socket));
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    await get(url + SAVE, { agent });
    const timeout = connections[0]!.timeout;
    expect(waiting!.setTimeout(12_345, () => undefined)).toBe(waiting);
    expect(connections[0]!.timeout).toBe(timeout);
    agent.destroy();
  });
});

describe('a pipeline that begins as the save ends', () => {
  const moments: Record<string, (res: ServerResponse, begin: () => void) => void> = {
    'in the signal': (res, begin) => saveOf(res)?.signal.addEventListener('abort', begin),
    'in close': (res, begin) => res.once('close', begin),
    'a microtask after close': (res, begin) => res.once('close', () => void Promise.resolve().then(begin)),
    'some microtasks after close': (res, begin) =>
      res.once('close', () => {
        let promise = Promise.resolve();
        for (let turn = 0; turn < 10; turn++) promise = promise.then(() => undefined);
        void promise.then(begin);
      }),
    'a tick after close': (res, begin) =>
      res.once('close', () => {
        process.nextTick(begin);
      }),
    'an immediate after close': (res, begin) => res.once('close', () => setImmediate(begin)),
    'after the reply': (res, begin) => res.once('close', () => setTimeout(begin, 30)),
  };

  const sources: Record<string, () => Readable | (() => AsyncIterable<Buffer>)> = {
    'a stream': () => Readable.from(endless(image())),
    'a file': () => createReadStream(largeFile()),
    'a generator': () => () => endless(image()),
  };

  describe.each(Object.keys(sources))('of %s', (name) => {
    test.each(Object.keys(moments))('settles when it begins %s', async (moment) => {
      const settled = createDeferred<unknown>();
      const source = sources[name]!();
      const answer = await save((_req, res) => {
        endSoon(res);
        moments[moment]!(res, () => {
          pipelineAsync(source, res).catch(settled.resolve);
        });
      });
      await expectRefused(answer, 'renderer-refused');
      const { code } = (await settled.promise) as NodeJS.ErrnoException;
      // Node 24 begins no pipeline into a response that is closed, and leaves the source as it is.
      if (code === 'ERR_STREAM_UNABLE_TO_PIPE') return;
      expect(code).toBe('ERR_STREAM_PREMATURE_CLOSE');
      if (source instanceof Readable) expect(source.destroyed).toBe(true);
    });
  });
});

describe('a renderer that fails', () => {
  const half = (): Buffer => image().subarray(0, image().length / 2);
  const sending =
    (render: (typeof refusedRenderings)[number]['render']): Handler =>
    (_req, res) => {
      const { status = 200, headers, body = '' } = render(image());
      res.writeHead(status, headers);
      if (body instanceof Readable) pipeline(body, res, () => undefined);
      else res.end(body);
    };
  const failures: Record<string, Record<string, Handler>> = {
    'renderer-status': {
      throws: () => {
        throw new Error('no');
      },
      'passes on an error': (_req, _res, next) => {
        next(new Error('no'));
      },
      'calls next without a response': (_req, _res, next) => {
        next();
      },
    },
    'renderer-aborted': {
      'passes on an error in mid-image': (_req, res, next) => {
        res.write(half(), () => {
          next(new Error('mid'));
        });
      },
      'destroys the response': (_req, res) => res.destroy(),
      'destroys the response with an error in mid-image': (_req, res) =>
        res.write(half(), () => res.destroy(new Error('mid'))),
      'destroys the connection': (req) => req.socket.destroy(),
      'ends the connection': (req) => req.socket.end(),
      'destroys the request': (req) => req.destroy(),
    },
    'renderer-refused': {
      refuses: (_req, res) => {
        saveOf(res)?.refuse('a placeholder');
        res.end(image());
      },
    },
  };
  const rows = [
    ...Object.entries(failures).flatMap(([code, renderers]) =>
      Object.entries(renderers).map(([name, renderer]) => ({ name, renderer, code })),
    ),
    ...refusedRenderings.map(({ render, ...row }) => ({ ...row, renderer: sending(render) })),
  ];
  // Hosts handle a renderer's error differently, so the code differs, but the form of the reply does not.
  const inHost: Record<string, Record<string, string>> = {
    'http.createServer': {
      throws: 'renderer-failed',
      'passes on an error': 'timeout',
      'calls next without a response': 'timeout',
      'passes on an error in mid-image': 'timeout',
    },
  };

  describe.each(Object.keys(hosts))('in %s', (host) => {
    test.each(rows)('gets a reply with the reason when it $name', async ({ name, renderer, ...row }) => {
      const errors = jest.spyOn(console, 'error').mockImplementation();
      const code = inHost[host]?.[name] ?? row.code;
      const [status, path] = code === 'timeout' ? ['timeout', `${SAVE}&timeout=100`] : ['failed', SAVE];
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      const handler: Handler = (req, res, next) => (saveOf(res) ? renderer(req, res, next) : res.end('next'));
      const answer = await save(handler, { host }, path, { agent });
      await expectRefused(answer, code, status);
      expect((await get(`${answer.url}/next`, { agent })).body.toString()).toBe('next');
      agent.destroy();
      errors.mockRestore();
    });
  });

  test('gets a reply when it rejects and the host ignores the promise', async () => {
    const failure = new Error('later');
    const rejecting = async (): Promise<never> => {
      await new Promise(setImmediate);
      throw failure;
    };
    const answer = await save(rejecting, { host: 'http.createServer' });
    await expectRefused(answer, 'renderer-failed');
    expect(records[0]?.cause).toBe(failure);
  });

  test('sends the client the reason that it gave to refuse()', async () => {
    const answer = await save((_req, res) => saveOf(res)?.refuse('there is no such shoe'));
    expect(answer.reply.error?.message).toContain('there is no such shoe');
  });
});

describe('a save that has failed', () => {
  test('stops reading, applies back-pressure, settles the pipeline and aborts the signal', async () => {
    let read = 0;
    const settled = createDeferred<unknown>();
    let signal: AbortSignal | undefined;
    const answer = await save(
      (_req, res) => {
        signal = saveOf(res)?.signal;
        pipeline(
          new Readable({
            read() {
              read += 65_536;
              this.push(Buffer.alloc(65_536, read === 65_536 ? image().subarray(0, 3) : 0));
            },
          }),
          res,
          (error) => {
            settled.resolve(error?.code);
          },
        );
      },
      { maxBytes: 1_000_000 },
    );
    await expectRefused(answer, 'too-many-bytes');
    expect(await settled.promise).toBe('ERR_STREAM_PREMATURE_CLOSE');
    expect(read).toBeLessThan(4_000_000);
    expect(signal?.aborted).toBe(true);
  });

  test('is refused at once for a Content-Length above maxBytes', async () => {
    const renderer: Handler = (_req, res) => {
      res.writeHead(200, { 'Content-Length': 1001 }).flushHeaders();
    };
    await expectRefused(await save(renderer, { maxBytes: 1000 }), 'too-many-bytes');
  });

  testOnLinux('closes the file that express.static was reading', async () => {
    const source = makeTempDir();
    writeFileSync(join(source, 'x.jpg'), Buffer.alloc(50_000_000));
    const answer = await save(
      (req, res, next) => {
        req.url = '/x.jpg';
        express.static(source)(req, res as express.Response, next);
      },
      { maxBytes: 60_000_000, maxPixels: 1 },
    );
    await expectRefused(answer, 'not-an-image');
    const slow = await save((_req, res) => {
      (res as express.Response).sendFile(join(source, 'x.jpg'), { dotfiles: 'allow' });
      saveOf(res)?.refuse();
    });
    expect(slow.status).toBe(403);
    for (let turn = 0; (await descriptorsBelow(source)).length > 0 && turn < 1000; turn++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(await descriptorsBelow(source)).toEqual([]);
  });
});

test('earlier middleware gets finish and close once, with the status of the reply', async () => {
  const emitted: unknown[] = [];
  const closed = createDeferred();
  const answer = await save((_req, res) => res.end('no image'), {
    before: [
      (_req, res, next) => {
        finished(res, (error) => emitted.push(['finished', error]));
        res.on('finish', () =>
          emitted.push(['finish', res.statusCode, res.writableFinished, res.getHeader('content-type')]),
        );
        res.on('close', () => {
          emitted.push(['close', res.statusCode]);
          closed.resolve();
        });
        next();
      },
    ],
  });
  await expectRefused(answer, 'not-an-image');
  await closed.promise;
  expect(emitted).toEqual([
    ['finish', 403, true, 'text/plain'],
    ['finished', undefined],
    ['close', 403],
  ]);
});
