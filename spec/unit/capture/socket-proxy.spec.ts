// A connection that knows its client and leads nowhere.
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { NullSocket, setRequestSocket, createSocketProxy } from '../../../lib/capture/socket-proxy.js';

let server: Server;
let real: Socket;
let client: Socket;
let hangUps: (Error | null)[];
let line: NullSocket;
let down: boolean;
/** How often a line has been asked for. */
let lines: number;
let connection: Socket;

beforeEach(async () => {
  server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  [real] = (await once(server, 'connection')) as [Socket];
  hangUps = [];
  line = new NullSocket((error) => hangUps.push(error));
  down = false;
  lines = 0;
  const makeLine = (): NullSocket => {
    lines++;
    return line;
  };
  connection = createSocketProxy(real, () => down, makeLine);
});
afterEach(() => {
  client.destroy();
  real.destroy();
  server.close();
});

test('knows what the real one knows', () => {
  expect(connection.remoteAddress).toBe('127.0.0.1');
  expect(connection.remotePort).toBe(client.localPort);
  expect(connection.address()).toEqual(real.address());
  expect(Object.getPrototypeOf(connection)).toBe(Object.getPrototypeOf(real));
});

test('says whether it is down without a line, and by the line once there is one', () => {
  expect(connection.destroyed).toBe(false);
  down = true;
  expect(connection.destroyed).toBe(true);
  expect(lines).toBe(0);
  expect([connection.writable, lines]).toEqual([true, 1]);
  expect(connection.destroyed).toBe(false);
});

test('passes on what is set', () => {
  Object.assign(connection, { tag: 'x' });
  expect(Reflect.get(real, 'tag')).toBe('x');
  connection.setTimeout(12_345);
  expect(real.timeout).toBe(12_345);
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
])('%s hangs up once, is heard as close, and leaves the real one alone', async (_name, hangUp) => {
  const closed = once(connection, 'close');
  hangUp(connection);
  hangUp(connection);
  await closed;
  expect(hangUps).toEqual([null]);
  expect([connection.destroyed, real.destroyed]).toEqual([true, false]);
});

test('hangs up with the error that it was given, and does not throw it at anybody', async () => {
  const error = new Error('mid');
  const closed = once(connection, 'close');
  connection.destroy(error);
  await closed;
  expect(hangUps).toEqual([error]);
});

test('what is written to it goes nowhere', async () => {
  await new Promise((resolve) => connection.write('HTTP/1.1 200 OK\r\n\r\n', resolve));
  expect(real.bytesWritten).toBe(0);
});

test('is shown to the renderer as the connection of the request', () => {
  const req = { socket: real } as unknown as IncomingMessage;
  setRequestSocket(req, connection);
  expect(req.socket).toBe(connection);
});
