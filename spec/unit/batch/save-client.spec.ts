import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { SaveClient } from '../../../lib/batch/save-client.js';
import { createDeferred } from '../../support/deferred.js';
import { sendDone, startReplyServer, stopReplyServers } from '../../support/reply-server.js';

afterEach(stopReplyServers);

let client: SaveClient;
beforeEach(() => {
  client = new SaveClient({});
});
afterEach(() => {
  client.close();
});

const save = (origin: string, timeout?: number): ReturnType<SaveClient['save']> =>
  client.save({ origin, path: '/x?req=saveToFile&name=a', timeout });

it('uses a connection again', async () => {
  const sockets = new Set<Socket>();
  const server = await startReplyServer((_request, res) => {
    sockets.add(res.socket!);
    sendDone(res);
  });
  for (let i = 0; i < 5; i++) expect(await save(server.origin)).toMatchObject({ status: 'done' });
  expect(sockets.size).toBe(1);
});

it('sends a command again when the server closed the idle connection just then', async () => {
  // The first request of each connection gets a reply, the second one a reset.
  let requests = 0;
  const server = createServer((socket) => {
    let count = 0;
    socket
      .on('error', () => undefined)
      .on('data', () => {
        requests++;
        if (++count === 2) socket.resetAndDestroy();
        else
          socket.write(
            'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 11\r\n\r\nstatus=done',
          );
      });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  expect(await save(origin)).toMatchObject({ status: 'done' });
  expect(await save(origin)).toMatchObject({ status: 'done' });
  expect(requests).toBe(3);
  client.close();
  server.close();
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

it('takes a reply that is cut off for a broken connection', async () => {
  const server = await startReplyServer((_request, res) => {
    res.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Length': 100 });
    res.write('status=done\n', () => res.destroy());
  });
  expect(await save(server.origin)).toMatchObject({ code: 'connection-broken', retry: true });
});

it('says that a server without TLS has none', async () => {
  const server = await startReplyServer();
  expect(await save(server.origin.replace('http:', 'https:'))).toMatchObject({
    code: 'tls-failed',
    retry: false,
  });
});
