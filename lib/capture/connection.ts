// The client's connection during a save: its response looks unfinished to Node's server, and its timer rests.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';

/** How long a client whose request was destroyed may go on sending after the reply, in milliseconds. */
const LINGER_MS = 1000;

/** The connection of a request. Hosts without a network (serverless, mocks) may give it a plain object, or nothing. */
export function connectionOf({ socket }: { readonly socket?: Socket | null }): Socket {
  return socket ?? (Object.create(null) as Socket);
}

/**
 * Makes a view of a captured response that is not `finished`.
 *
 * `server.close()` destroys connections whose `_httpMessage` is `finished`. A captured response is finished as soon as
 * the renderer ends it, while its image is still being saved. All other properties are those of the response.
 */
export function createServerView(res: ServerResponse): ServerResponse {
  return new Proxy(res, VIEW);
}

const VIEW: ProxyHandler<ServerResponse> = {
  get: (res, name) => (name === 'finished' ? false : (Reflect.get(res, name) as unknown)),
};

/** Replaces the response that a connection is serving. A pipelined response has no connection yet. */
export function replaceMessage(socket: unknown, current: ServerResponse, replacement: ServerResponse): void {
  const connection = socket as { _httpMessage?: ServerResponse | null } | null | undefined;
  if (connection?._httpMessage === current) connection._httpMessage = replacement;
}

/**
 * Reads and drops the rest of a request body, if the renderer has destroyed the request before its end. Node would
 * leave such bytes unread, and a client that still sends would never read the reply.
 *
 * @returns Whether the request was destroyed. Its connection cannot be used again then.
 */
export function discardUnreadBody(req: IncomingMessage & { _dumped?: boolean }): boolean {
  const { socket }: { socket?: Socket } = req;
  if (!req.destroyed || req.complete || !(socket instanceof Socket) || socket.destroyed) return false;
  // Node's parser drops the body bytes of a request with this mark.
  req._dumped = true;
  socket.resume();
  // Node calls this after the reply. Closing while bytes are unread would reset the connection, and with it the reply.
  socket.destroySoon = () => {
    socket.end();
    const timer = setTimeout(() => socket.destroy(), LINGER_MS);
    socket.once('close', () => {
      clearTimeout(timer);
    });
  };
  return true;
}

/** The timer of a connection that saves hold off, in milliseconds, and how many saves do so. */
interface Hold {
  readonly timeout: number;
  saves: number;
}

const holds = new WeakMap<Socket, Hold>();

/**
 * Holds off the timer of `server.timeout` and of each `setTimeout` of server, request and response. Saves that are
 * pipelined on one connection hold it off together.
 *
 * @returns Gives the connection its timer back. Call it once.
 */
export function holdInactivityTimer(socket: Socket): () => void {
  // Hosts without a network connection may have no such timer.
  const timed: Partial<Pick<Socket, 'timeout' | 'setTimeout'>> = socket;
  const hold = holds.get(socket) ?? { timeout: timed.timeout ?? 0, saves: 0 };
  holds.set(socket, hold);
  hold.saves++;
  if (hold.timeout > 0) timed.setTimeout?.(0);
  return () => {
    if (--hold.saves > 0) return;
    holds.delete(socket);
    if (hold.timeout > 0) timed.setTimeout?.(hold.timeout);
  };
}
