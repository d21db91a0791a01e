// The socket that a renderer sees.
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { Writable } from 'node:stream';
import { createSocketProxy } from '../../../lib/capture/socket-proxy.js';

let server: Server;
let socket: Socket;
let client: Socket;
/** The errors that the body was destroyed with. */
let aborts: (Error | null)[];
let body: Writable;
let proxy: Socket;
let close: () => void;

beforeEach(async () => {
  server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  [socket] = (await once(server, 'connection')) as [Socket];
  aborts = [];
  body = new Writable({
    write: (_chunk, _encoding, done) => {
      done();
    },
    destroy: (error, done) => {
      aborts.push(error);
      done();
    },
  });
  ({ proxy, close } = createSocketProxy(socket, body));
});
afterEach(() => {
  client.destroy();
  socket.destroy();
  server.close();
});

test('reads and sets the properties of the client’s socket', () => {
  expect(proxy.remoteAddress).toBe('127.0.0.1');
  expect(proxy.remotePort).toBe(client.localPort);
  expect(proxy.address()).toEqual(socket.address());
  expect(Object.getPrototypeOf(proxy)).toBe(Object.getPrototypeOf(socket));
  Object.assign(proxy, { tag: 'x' });
  expect(Reflect.get(socket, 'tag')).toBe('x');
});

test.each<[string, (socket: Socket) => unknown]>([
  ['destroy', (socket) => socket.destroy()],
  [
    'destroySoon',
    (socket) => {
      socket.destroySoon();
    },
  ],
  ['resetAndDestroy', (socket) => socket.resetAndDestroy()],
  ['end', (socket) => socket.end()],
])('%s destroys the body once, emits close, and leaves the client’s socket open', async (_name, destroy) => {
  const closed = once(proxy, 'close');
  destroy(proxy);
  destroy(proxy);
  await closed;
  expect(aborts).toEqual([null]);
  expect([proxy.destroyed, socket.destroyed]).toEqual([true, false]);
});

test('destroys the body with the error it was given, and emits it only to a listener', async () => {
  const error = new Error('mid');
  body.on('error', () => undefined);
  const closed = new Promise((resolve) => proxy.once('close', resolve));
  proxy.destroy(error);
  await closed;
  expect(aborts).toEqual([error]);
});

test('is destroyed, and emits close, when the body breaks off', async () => {
  expect(proxy.destroyed).toBe(false);
  const closed = once(proxy, 'close');
  body.destroy();
  await closed;
  expect(proxy.destroyed).toBe(true);
  // Reading `writable` creates the null socket.
  expect(proxy.writable).toBe(false);
  expect(proxy.destroyed).toBe(true);
});

test('keeps bytes, corks and timers from the client’s socket', async () => {
  await new Promise((resolve) => proxy.write('HTTP/1.1 200 OK\r\n\r\n', resolve));
  proxy.cork();
  proxy.setTimeout(12_345);
  const { bytesWritten, timeout, writableCorked } = socket;
  expect([proxy.timeout, bytesWritten, timeout, writableCorked]).toEqual([12_345, 0, undefined, 0]);
});

test('close calls the renderer’s listeners, and leaves the client’s socket open', async () => {
  const closed = once(proxy, 'close');
  close();
  await closed;
  expect(socket.destroyed).toBe(false);
});

test('destroy emits its error if there is a listener', async () => {
  const failed = once(proxy, 'error');
  proxy.destroy(new Error('broken'));
  expect(await failed).toEqual([new Error('broken')]);
});
