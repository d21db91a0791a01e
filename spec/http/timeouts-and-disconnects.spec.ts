// Deadlines, and clients that disconnect.
import { writeFileSync, readFileSync } from 'node:fs';
import { Agent, type Server } from 'node:http';
import { connect as connectTcp, type Socket } from 'node:net';
import { join } from 'node:path';
import { SaveError, saveOf, type ImageSaveOptions } from '../../lib/index.js';
import { get } from '../support/client.js';
import { eventually } from '../support/deferred.js';
import { list } from '../support/temp-dir.js';
import { hosts, type Handler } from '../support/host.js';
import { SAVE, useSaveFixture } from '../support/use-save-fixture.js';

const { image, folder, records, recorded, serve, save } = useSaveFixture();

const never: Handler = () => undefined;

describe('the deadline', () => {
  test.each(Object.keys(hosts))('in %s, ends a save whose renderer never answers', async (host) => {
    writeFileSync(join(folder(), 'x.jpg'), 'old');
    const answer = await save(never, { host }, `${SAVE}&timeout=30`);
    expect(answer.status).toBe(403);
    expect(answer.reply).toMatchObject({ status: 'timeout', error: { code: 'timeout' } });
    expect(readFileSync(join(folder(), 'x.jpg'), 'utf8')).toBe('old');
    expect(list(folder())).toEqual(['x.jpg']);
    await recorded();
    expect(records).toMatchObject([{ outcome: 'timeout', code: 'timeout', name: 'x.jpg' }]);
  });

  test.each<[string, ImageSaveOptions]>([
    ['authorize', { authorize: () => new Promise(() => undefined) }],
    ['savePath', { savePath: () => new Promise(() => undefined) }],
  ])('covers %s, and the reply waits for no cleanup', async (_name, options) => {
    const timers = jest.spyOn(globalThis, 'setTimeout');
    expect((await save(never, { ...options, timeout: 30 })).reply.status).toBe('timeout');
    expect(timers.mock.calls.map(([, delay]) => delay)).not.toContain(100);
    timers.mockRestore();
  });

  test('is the timeout option if the client sets none, and never later than maxTimeout', async () => {
    const messageOf = async (options: ImageSaveOptions, more = ''): Promise<string | undefined> =>
      (await save(never, options, SAVE + more)).reply.error?.message;
    expect(await messageOf({ timeout: 30 })).toContain(' 30 ms');
    expect(await messageOf({ maxTimeout: 35 })).toContain(' 35 ms');
    expect(await messageOf({ maxTimeout: 40 }, '&timeout=99999999999999999999')).toContain(' 40 ms');
  });

  test('removes the temporary file and aborts the signal with its reason in mid-image', async () => {
    let signal: AbortSignal | undefined;
    const renderer: Handler = (_req, res) => {
      signal = saveOf(res)?.signal;
      for (let part = 0; part < 40; part++) res.write(Buffer.alloc(65_536, '\xff\xd8\xff', 'latin1'));
    };
    expect((await save(renderer, {}, `${SAVE}&timeout=100`)).reply.status).toBe('timeout');
    await eventually(() => list(folder()).length === 0);
    expect(signal?.reason).toBeInstanceOf(SaveError);
    expect(signal?.reason).toMatchObject({ code: 'timeout' });
  });
});

describe('a client that disconnects', () => {
  const leave: Record<string, (socket: Socket) => void> = {
    'closing its connection': (socket) => socket.destroy(),
    'resetting it': (socket) => socket.resetAndDestroy(),
    'half-closing it': (socket) => socket.end(),
  };

  describe.each(Object.keys(hosts))('in %s', (host) => {
    test.each(Object.keys(leave))('by %s aborts the save, and the old file stays', async (how) => {
      writeFileSync(join(folder(), 'x.jpg'), 'old');
      const emitted: string[] = [];
      let signal: AbortSignal | undefined;
      const note: Handler = (_req, res, next) => {
        res.on('close', () => emitted.push(`before: close, finished ${res.writableFinished}`));
        next();
      };
      const renderer: Handler = (_req, res) => {
        signal = saveOf(res)?.signal;
        res.on('close', () => emitted.push('renderer: close'));
        res.on('finish', () => emitted.push('renderer: finish'));
        res.write(image().subarray(0, 100), () => {
          leave[how]!(socket);
        });
        signal?.addEventListener('abort', () => {
          // The renderer goes on after the save has ended.
          setImmediate(() => {
            res.statusCode = 500;
            res.end(image());
          });
        });
      };
      const { port } = await serve(renderer, { host, before: [note] });
      const socket = connectTcp(port, '127.0.0.1');
      socket.write(`GET ${SAVE} HTTP/1.1\r\nHost: x\r\n\r\n`);
      await eventually(() => records.length > 0 && emitted.length > 1);
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(signal?.aborted).toBe(true);
      expect(records).toMatchObject([{ outcome: 'failed', code: 'client-disconnected', name: 'x.jpg' }]);
      expect([...emitted].sort()).toEqual(['before: close, finished false', 'renderer: close']);
      expect(list(folder())).toEqual(['x.jpg']);
      expect(readFileSync(join(folder(), 'x.jpg'), 'utf8')).toBe('old');
      socket.destroy();
    });
  });

  test('prevents rendering when it disconnects before the renderer is called', async () => {
    let asked = false;
    const client = new AbortController();
    const authorize = async (): Promise<boolean> => {
      client.abort();
      await recorded();
      return true;
    };
    const sent = save(() => (asked = true), { authorize }, SAVE, { signal: client.signal });
    await sent.catch(() => undefined);
    await recorded();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(records[0]?.code).toBe('client-disconnected');
    expect(asked).toBe(false);
  });
});

describe('an inactivity timer', () => {
  const INACTIVE_MS = 250;
  const pass: Handler = (_req, _res, next) => {
    next();
  };
  /** Sets the timer: on the server, in earlier middleware, in the renderer. */
  const timers: Record<string, { server?: (server: Server) => void; before?: Handler; renderer?: Handler }> =
    {
      'server.timeout': { server: (server) => (server.timeout = INACTIVE_MS) },
      'server.setTimeout with a listener': {
        server: (server) => server.setTimeout(INACTIVE_MS, (socket) => socket.destroy()),
      },
      'req.setTimeout of earlier middleware': {
        before: (req, _res, next) => {
          req.setTimeout(INACTIVE_MS, () => req.destroy());
          next();
        },
      },
      'res.setTimeout of earlier middleware': {
        before: (_req, res, next) => {
          res.setTimeout(INACTIVE_MS, () => res.destroy());
          next();
        },
      },
      'req.setTimeout of the renderer': { renderer: (req) => req.setTimeout(INACTIVE_MS) },
      'res.setTimeout of the renderer': { renderer: (_req, res) => res.setTimeout(INACTIVE_MS) },
      'req.socket.setTimeout of the renderer': { renderer: (req) => req.socket.setTimeout(INACTIVE_MS) },
    };

  test.each(Object.keys(timers))('%s ends neither a save nor one that waits for its turn', async (name) => {
    const { server: setUp, before = pass, renderer = pass } = timers[name]!;
    const rendering: Handler = async (req, res) => {
      renderer(req, res, () => undefined);
      if (saveOf(res) === undefined) return;
      // An ordinary request that begins now and never gets a response is cut after the same time.
      await expect(get(`${running.url}/ordinary`)).rejects.toThrow();
      res.end(image());
    };
    const running = await serve(rendering, { before: [before], concurrency: 1 });
    setUp?.(running.server);
    const agent = new Agent({ keepAlive: true });
    const saves = ['first', 'second'].map((path) =>
      get(`${running.url}/${path}?req=saveToFile&name=${path}.jpg`, { agent }),
    );
    for (const { reply } of await Promise.all(saves)) expect(reply.status).toBe('done');
    agent.destroy();
  });

  test('is that of the connection again while the reply is sent', async () => {
    const timeouts: (number | undefined)[] = [];
    const before: Handler = (req, res, next) => {
      const { socket } = req;
      socket.setTimeout(12_345);
      res.on('prefinish', () => timeouts.push(socket.timeout));
      next();
    };
    const renderer: Handler = (_req, res) => {
      timeouts.push(res.socket?.timeout);
      res.setTimeout(20);
      res.end(image());
    };
    await save(renderer, { before: [before] });
    expect(timeouts).toEqual([0, 12_345]);
  });
});
