// The client's connection during a save: ends the save when the client disconnects, and holds the timer off.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';

/** How long a client whose request was destroyed may go on sending after the reply, in milliseconds. */
const LINGER_MS = 1000;

/** The connection of a request. Hosts without a network (serverless, mocks) may give it a plain object, or nothing. */
export function connectionOf({ socket }: { readonly socket?: Socket | null }): Socket {
  return socket ?? (Object.create(null) as Socket);
}

/** Ends a connection that can get no reply: that tells the client more than silence. */
export function breakOff(socket: Partial<Socket>, res: ServerResponse, error: unknown): void {
  socket.destroy?.();
  if (socket instanceof Socket) return;
  // Hosts without a network wait for the events of the response, and destroying it may emit none.
  res.destroy();
  if (res.listenerCount('error') > 0) res.emit('error', error);
}

/**
 * Drops the rest of a request body if the renderer has destroyed the request. Node would leave such bytes unread, and a
 * client that still sends would never read the reply. Returns whether that was so; the connection cannot be used again then.
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

/** What the timer of a connection was set to before its saves, in milliseconds, and what each calls when it closes. */
const watches = new WeakMap<Socket, { timeout: number; readonly callbacks: Set<() => void> }>();

/**
 * Calls a function when the client disconnects, and until then holds off the timer of `server.timeout` and of each
 * `setTimeout` of server, request and response. The function that it returns ends both; call it once.
 */
export function watchConnection(socket: Socket, onClose: () => void): () => void {
  // Hosts without a network connection may have neither a timer nor events.
  const connection: Partial<Pick<Socket, 'timeout' | 'setTimeout' | 'prependOnceListener'>> = socket;
  const watch = watches.get(socket) ?? { timeout: 0, callbacks: new Set() };
  const { callbacks } = watch;
  if (!watches.has(socket)) {
    watches.set(socket, watch);
    // One listener for all saves, so that Node warns of no leak. It comes before the server's own, which emits `close` on
    // the response: by then the response must be restored.
    connection.prependOnceListener?.('close', () => {
      for (const callback of [...callbacks]) callback();
    });
  }
  if (callbacks.size === 0) watch.timeout = connection.timeout ?? 0;
  callbacks.add(onClose);
  if (watch.timeout > 0) connection.setTimeout?.(0);
  return () => {
    callbacks.delete(onClose);
    if (callbacks.size === 0 && watch.timeout > 0) connection.setTimeout?.(watch.timeout);
  };
}
