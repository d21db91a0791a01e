import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import type { Outcome } from '../../../lib/batch/outcome.js';
import { SaveClient } from '../../../lib/batch/save-client.js';
import { createDeferred } from '../../support/deferred.js';
import { sendDone, startReplyServer } from '../../support/reply-server.js';
import { stopAll } from '../../support/host.js';

const servers: Server[] = [];
afterEach(async () => {
  await stopAll();
  for (const server of servers.splice(0)) server.close();
});

/** Starts a server that does with each connection what a test says, and closes the client at the end. */
async function listen(onConnection: (socket: Socket) => void): Promise<string> {
  const server = createServer((socket) => {
    onConnection(socket.on('error', () => undefined));
  });
  servers.push(server.listen(0, '127.0.0.1'));
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

let client: SaveClient;
beforeEach(() => {
  client = new SaveClient({ headers: {}, retries: 5 });
});
afterEach(() => {
  client.close();
});

/** The outcome of a save, and its result, in one object. */
async function save(origin: string, timeout?: number): Promise<Omit<Outcome, 'result'> & Outcome['result']> {
  const request = { origin, path: '/x?req=saveToFile&name=a', timeout };
  const { result, ...outcome } = await client.save(request);
  return { ...outcome, ...result };
}

it.each([
  [5, ['done', 'connection-broken'], 2],
  // Without a second attempt, no connection is used again that the server may be closing.
  [0, ['done', 'done'], 2],
])(
  'with %i retries, sends each command once where idle connections are closed',
  async (retries, ends, sent) => {
    // The first request of each connection gets a reply, the second one a reset.
    let requests = 0;
    const origin = await listen((socket) => {
      let count = 0;
      socket.on('data', () => {
        requests++;
        if (++count === 2) socket.resetAndDestroy();
        else
          socket.write(
            'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 11\r\n\r\nstatus=done',
          );
      });
    });
    client = new SaveClient({ headers: {}, retries });
    const outcomes = [await save(origin), await save(origin)];
    expect(outcomes.map(({ status, code }) => code ?? status)).toEqual(ends);
    expect(requests).toBe(sent);
  },
);

it.each([
  ['101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n', 'http-101', false],
  [
    '200 OK\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\nstatus=done\n',
    'connection-broken',
    true,
  ],
])('takes %j, after which the server leaves, for %s', async (reply, code, retry) => {
  const origin = await listen((socket) => {
    socket.once('data', () => socket.end(`HTTP/1.1 ${reply}`));
  });
  expect(await save(origin)).toMatchObject({ code, retry });
});

it('gives up a server that takes the connection and never ends the TLS handshake', async () => {
  const timeouts = jest.spyOn(globalThis, 'setTimeout');
  const origin = await listen((socket) => {
    socket.once('data', () => {
      const [run] = timeouts.mock.calls.find(([, delay]) => delay === 10_000) ?? [];
      (run as () => void)();
    });
  });
  expect(await save(origin.replace('http:', 'https:'))).toMatchObject({ code: 'host-unreachable' });
  timeouts.mockRestore();
});

describe('with a proxy in the environment', () => {
  const before = { ...process.env };
  afterEach(() => {
    process.env = { ...before };
  });

  it('sends it the whole URL, and its password', async () => {
    const proxy = await startReplyServer();
    process.env['http_proxy'] = proxy.origin.replace('//', '//me:se%2Fcret@');
    expect(await save('http://images.invalid:81')).toMatchObject({ status: 'done' });
    expect(proxy.requests[0]).toMatchObject({
      url: 'http://images.invalid:81/x?req=saveToFile&name=a',
      headers: {
        host: 'images.invalid:81',
        'proxy-authorization': `Basic ${Buffer.from('me:se/cret').toString('base64')}`,
      },
    });
  });

  it('goes past it to a host of NO_PROXY', async () => {
    const [proxy, server] = [await startReplyServer(), await startReplyServer()];
    process.env['HTTP_PROXY'] = proxy.origin;
    process.env['NO_PROXY'] = '127.0.0.1';
    expect(await save(server.origin)).toMatchObject({ status: 'done' });
    expect([proxy.requests.length, server.requests.length]).toEqual([0, 1]);
  });

  it.each([
    ['', 'connection-broken', /https:\/\/images\.invalid \(through the proxy http:\/\/127/],
    ['HTTP/1.1 407 No\r\nContent-Length: 9\r\n\r\n', 'http-407', /proxy asks for a user and a password/],
    ['HTTP/1.1 403 No\r\n\r\n', 'http-403', /does not let this client in/],
  ])('asks it, also without a scheme, for a tunnel to a server with TLS; it replies %j', async (...row) => {
    const [reply, code, message] = row;
    let head = '';
    const proxy = await listen((socket) => {
      socket.once('data', (chunk) => {
        head = chunk.toString();
        socket.write(reply, () => socket.destroy());
      });
    });
    process.env['https_proxy'] = proxy.replace('http://', '');
    expect(await save('https://images.invalid')).toMatchObject({
      code,
      message: expect.stringMatching(message) as string,
    });
    expect(head).toMatch(/^CONNECT images\.invalid:443 HTTP\/1\.1\r\n/);
  });

  it.each(['socks5://me:secret@host', 'http://me:50%@host'])(
    'refuses %s, and does not show its password',
    async (proxy) => {
      process.env['http_proxy'] = proxy;
      await expect(save('http://images.invalid')).rejects.toThrow(/:\/\/…@host .*NO_PROXY/);
    },
  );
});

it('does not send a command again that it broke off itself', async () => {
  const arrived = createDeferred();
  const server = await startReplyServer((_request, res) => {
    // The second request, on the connection of the first, gets no reply. A third one would get one.
    if (server.requests.length === 2) arrived.resolve();
    else sendDone(res);
  });
  await save(server.origin);
  const outcome = save(server.origin);
  await arrived.promise;
  client.close();
  expect(await outcome).toMatchObject({ status: 'failed', code: 'connection-broken' });
  expect(server.requests).toHaveLength(2);
});

it('does not read an image to its end', async () => {
  let sent = 0;
  const server = await startReplyServer((_request, res) => {
    res.writeHead(200, { 'Content-Type': 'image/jpeg' });
    const chunk = Buffer.alloc(65_536);
    const write = (): void => {
      sent += chunk.length;
      if (!res.destroyed) res.write(chunk, () => setImmediate(write));
    };
    write();
  });
  expect(await save(server.origin)).toMatchObject({ code: 'not-a-reply' });
  expect(sent).toBeLessThan(100_000_000);
});

it('gives up a server that never replies, half a minute after the deadline of the job', async () => {
  const timeouts = jest.spyOn(globalThis, 'setTimeout');
  const server = await startReplyServer((_request, res) => {
    const [run] = timeouts.mock.calls.find(([, delay]) => delay === 31_000) ?? [];
    expect(run).toBeDefined();
    (run as () => void)();
    res.once('close', () => undefined);
  });
  expect(await save(server.origin, 1000)).toMatchObject({
    code: 'no-reply',
    retry: true,
    isUnanswered: true,
  });
  timeouts.mockRestore();
});

it('waits for a reply also with the longest timeout that a job may have', async () => {
  const server = await startReplyServer((_request, res) => setTimeout(sendDone, 50, res));
  expect(await save(server.origin, 2 ** 31 - 1)).toMatchObject({ status: 'done' });
});

it('says that a server without TLS has none', async () => {
  const server = await startReplyServer();
  expect(await save(server.origin.replace('http:', 'https:'))).toMatchObject({
    code: 'tls-failed',
    retry: false,
  });
});
