// Servers that stop, and the libraries that stop them, while saves are in progress; `idle()`, for which they wait.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import httpShutdown from 'http-shutdown';
import stoppable from 'stoppable';
import { imageSave, type ImageSaveOptions, type ImageStore, type SaveTarget } from '../../lib/index.js';
import { fsCalls } from '../../lib/temp-files/fs.js';
import { get } from '../support/client.js';
import { createDeferred } from '../support/deferred.js';
import { start, type Handler, type Running } from '../support/host.js';
import { MemoryStore } from '../support/memory-store.js';
import { SAVE, useSaveFixture } from '../support/use-save-fixture.js';

const { image, folder, records, serve, save } = useSaveFixture();

/** Stops a server, and lets every event run that the stop causes. */
type Stop = () => Promise<void>;

/** Makes a save wait at one stage while the server stops. */
interface Stage {
  options?: (stop: Stop) => ImageSaveOptions;
  renderer?: (stop: Stop) => Handler;
}

/** Stops a server. Resolves when its last connection has ended. */
const closeOf = ({ server }: Running): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => {
      resolve();
    });
  });

const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));

const stopDuring = (name: 'fsync' | 'rename') => (stop: Stop) => {
  const call = fsCalls[name] as (...args: unknown[]) => Promise<unknown>;
  jest.spyOn(fsCalls, name).mockImplementationOnce(async (...args: unknown[]) => {
    await stop();
    return call(...args) as Promise<void>;
  });
  return {};
};

const stages: Record<string, Stage> = {
  'a renderer is working': {
    renderer: (stop) => async (_req, res) => {
      await stop();
      res.end(image());
    },
  },
  'an image is being verified': {
    renderer: (stop) => (_req, res) => {
      res.end(image());
      void stop();
    },
  },
  'a file is being flushed': { options: stopDuring('fsync') },
  'a file is being renamed': { options: stopDuring('rename') },
  'a store is publishing': { options: (stop) => ({ store: new StoppingStore(stop) }) },
};

class StoppingStore extends MemoryStore implements ImageStore {
  constructor(readonly stop: Stop) {
    super();
  }
  override async prepare(...args: Parameters<MemoryStore['prepare']>): Promise<SaveTarget> {
    const target = await super.prepare(...args);
    return {
      publish: async (image, options) => {
        await this.stop();
        return target.publish(image, options);
      },
    };
  }
}

afterEach(() => jest.restoreAllMocks());

test.each(Object.keys(stages))('finishes a save while the server closes and %s', async (stage) => {
  const { options, renderer } = stages[stage]!;
  const events: string[] = [];
  let closed: Promise<void> | undefined;
  const stop: Stop = async () => {
    closed = closeOf(running);
    void closed.then(() => events.push('closed'));
    await settle();
  };
  const running = await serve(renderer?.(stop), {
    onSave: ({ outcome }) => void events.push(outcome),
    ...options?.(stop),
  });
  const answer = await get(running.url + SAVE);
  expect([answer.status, answer.reply.status]).toEqual([200, 'done']);
  await closed;
  expect(events).toEqual(['done', 'closed']);
});

test('finishes pipelined saves while the server closes', async () => {
  let closed: Promise<void> | undefined;
  const held: (() => void)[] = [];
  const running = await serve((_req, res) => {
    held.push(() => res.end(image()));
    // The later saves end first and wait for their turn on the connection.
    if (held.length < 3) return;
    for (const end of held.reverse()) end();
    closed = closeOf(running);
  });
  const text = await exchange(
    running.port,
    ['a', 'b', 'c'].map((name) => `GET /x?req=saveToFile&name=${name}.jpg HTTP/1.1\r\nHost: x\r\n`),
  );
  expect(text.match(/^status=done$/gm)).toHaveLength(3);
  await closed;
  expect(records.map(({ name }) => name).sort()).toEqual(['a.jpg', 'b.jpg', 'c.jpg']);
});

/** Sends requests in one piece on one connection, the last with `Connection: close`, and reads to the end. */
async function exchange(port: number, requests: string[]): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(`${requests.join('\r\n')}Connection: close\r\n\r\n`);
  let text = '';
  for await (const chunk of socket.setEncoding('latin1')) text += String(chunk);
  return text;
}

describe('the request’s connection after a save', () => {
  test('is the same object in events of the response and of the request', async () => {
    const seen: Record<string, boolean> = {};
    let closed: Promise<unknown> | undefined;
    const look: Handler = (req, res, next) => {
      const { socket } = req;
      const note = (event: string) => () => {
        seen[event] = req.socket === socket && Reflect.get(req, 'connection') === socket;
      };
      for (const event of ['prefinish', 'finish', 'close']) res.on(event, note(event));
      req.on('close', note('request close'));
      closed = Promise.all([once(req, 'close'), once(res, 'close')]);
      next();
    };
    await save(undefined, { before: [look] });
    await closed;
    expect(seen).toEqual({ prefinish: true, finish: true, close: true, 'request close': true });
  });

  test.each(['stoppable', 'http-shutdown'])('lets %s stop the server', async (library) => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const running = await serve();
    const counted = stoppable(running.server) as unknown as { _pendingSockets: Map<unknown, number> };
    if (library === 'http-shutdown') httpShutdown(running.server);
    for (let count = 0; count < 3; count++) {
      expect((await get(running.url + SAVE, { agent })).reply.status).toBe('done');
    }
    expect([...counted._pendingSockets.values()]).toEqual([0]);
    // Stopped in the middle of a save: the connection ends with its reply.
    const saving = get(running.url + SAVE, { agent });
    await once(running.server, 'request');
    const stopped = new Promise<void>((resolve) => {
      const server = running.server as unknown as Record<string, (done: () => void) => void>;
      server[library === 'stoppable' ? 'stop' : 'shutdown']!(resolve);
    });
    expect((await saving).reply.status).toBe('done');
    await stopped;
    expect(readFileSync(join(folder(), 'x.jpg')).equals(image())).toBe(true);
    agent.destroy();
  });
});

describe('idle()', () => {
  it('resolves only after every onSave, also for saves that begin meanwhile', async () => {
    const settled = createDeferred();
    const ended: (string | undefined)[] = [];
    const middleware = imageSave({
      savePath: folder(),
      onSave: async ({ name }) => {
        await settled.promise;
        ended.push(name);
      },
    });
    await middleware.idle();
    const { url } = await start([middleware, (_req, res) => res.end(image())]);
    await get(`${url}/x?req=saveToFile&name=a.jpg`);
    const idle = middleware.idle().then(() => ended.push('idle'));
    await get(`${url}/x?req=saveToFile&name=b.jpg`);
    expect(ended).toEqual([]);
    settled.resolve();
    await idle;
    expect([ended.slice(0, 2).sort(), ended[2]]).toEqual([['a.jpg', 'b.jpg'], 'idle']);
  });

  it('resolves although the store and onSave fail', async () => {
    const warn = jest.spyOn(process, 'emitWarning').mockImplementation();
    const fail = (): Promise<never> => Promise.reject(new Error('no'));
    const middleware = imageSave({ store: { prepare: fail }, onSave: fail });
    const { url } = await start([middleware]);
    await get(url + SAVE);
    await middleware.idle();
    warn.mockRestore();
  });
});
