// The middleware: called by hosts of another kind, and where a client disconnects.
import { once } from 'node:events';
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { createExchange } from '../../../lib/hosts/middleware.js';
import { imageSave } from '../../../lib/index.js';

const next = (): void => undefined;
const request = new Request('http://host/x.jpg?req=saveToFile&name=x.jpg');

it.each<[string, unknown[]]>([
  ['Hono', [{ req: { url: request.url, raw: request } }, next]],
  ['Koa', [{ req: {}, res: {}, request: {}, response: {} }, next]],
  ['h3', [{ req: request, url: new URL(request.url), res: { headers: new Headers() } }, next]],
  ['a handler of the Fetch API', [request]],
  ['a hook of Fastify', [{ raw: {} }, { raw: {}, code: next }, next]],
  ['no host', []],
])('says which entry fits where %s calls it', (_host, args) => {
  const middleware = imageSave() as (...args: unknown[]) => void;
  expect(() => {
    middleware(...args);
  }).toThrow(/express-image-save\/fetch/);
});

describe('a client that disconnects', () => {
  let socket: Socket;
  let ended: string[];

  beforeEach(() => {
    socket = new Socket();
    ended = [];
  });
  afterEach(() => {
    socket.destroy();
  });

  /** Begins a save on a connection, and notes its end under its name. Returns what is called before its reply. */
  function begin(name: string, connection = socket): () => void {
    const req = new IncomingMessage(connection);
    const exchange = createExchange(req, new ServerResponse(req), () => undefined);
    return exchange.begin(({ code }) => ended.push(`${name}: ${code}`));
  }

  /** The client disconnects. */
  async function leave(): Promise<void> {
    const closed = once(socket, 'close');
    socket.destroy();
    await closed;
  }

  it('ends the save if it disconnected before', async () => {
    await leave();
    begin('late');
    expect(ended).toEqual(['late: client-disconnected']);
  });

  it('ends the save before other listeners run', () => {
    socket.on('close', () => ended.push('the server'));
    begin('save');
    socket.emit('close');
    socket.removeAllListeners();
    expect(ended).toEqual(['save: client-disconnected', 'the server']);
  });

  it('ends all the saves of its connection that have no reply, and none of another', async () => {
    const other = new Socket();
    begin('first');
    begin('second');
    begin('other', other);
    begin('replied')();
    await leave();
    expect(ended).toEqual(['first: client-disconnected', 'second: client-disconnected']);
    other.destroy();
  });

  it('is watched with one listener for any number of saves', () => {
    begin('first');
    const before = socket.listenerCount('close');
    for (let save = 0; save < 100; save += 1) begin('next');
    expect(socket.listenerCount('close')).toBe(before);
  });
});
