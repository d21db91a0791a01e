// The response as Node's server sees it on the connection: unfinished until the reply.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';

/** How long a client whose request was destroyed may go on sending after the reply, in milliseconds. */
const LINGER_MS = 1000;

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
