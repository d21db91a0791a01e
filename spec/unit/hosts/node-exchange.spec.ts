// A client that disconnects, as the middleware notices it.
import { once } from 'node:events';
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { SaveError } from '../../../lib/errors.js';
import { createNodeExchange } from '../../../lib/hosts/node-exchange.js';
import type { Exchange } from '../../../lib/save/exchange.js';

let socket: Socket;
let ended: string[];

beforeEach(() => {
  socket = new Socket();
  ended = [];
});
afterEach(() => {
  socket.destroy();
});

/** Begins a save on a connection. Its end is noted under its name. */
function begin(name: string, connection = socket): Exchange {
  const req = new IncomingMessage(connection);
  const exchange = createNodeExchange(req, new ServerResponse(req), () => undefined);
  exchange.begin(({ code }) => ended.push(`${name}: ${code}`));
  return exchange;
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
  begin('replied').reply({ status: 'failed', error: new SaveError('client-disconnected') });
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
