// The socket that the renderer sees: reads come from the client's socket, writes and `destroy` go to a null socket.
import type { Socket } from 'node:net';
import { Writable } from 'node:stream';
import { EMITTER_METHODS } from './listener-set.js';

/** Properties of the null socket. All others are those of the client's socket. */
// prettier-ignore
const WRITE_SIDE_PROPERTIES = new Set<PropertyKey>([
  ...EMITTER_METHODS, 'write', 'end', 'cork', 'uncork', 'destroy', 'destroySoon', 'resetAndDestroy', 'destroyed', 'closed',
  'errored', 'writable', 'writableEnded', 'writableFinished', '_writableState', 'timeout', 'setTimeout',
]);

/**
 * Drops all writes. Destroying it destroys the rendered response and leaves the client's connection open: Express's
 * final handler destroys the socket after an error in the middle of a response, and the reply must still be sent.
 */
class NullSocket extends Writable {
  /** Milliseconds. */
  timeout = 0;

  constructor(readonly body: Writable) {
    super();
  }

  override _write(_chunk: unknown, _encoding: unknown, done: () => void): void {
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.body.destroy(error ?? undefined);
    // Without a listener, the error would end the process.
    done(this.listenerCount('error') > 0 ? error : null);
  }

  destroySoon(): void {
    this.destroy();
  }

  resetAndDestroy(): this {
    return this.destroy();
  }

  /** Inactivity does not end a save, and the client's connection may serve the next request by now. */
  setTimeout(timeout: number): this {
    this.timeout = timeout;
    return this;
  }
}

export interface SocketProxy {
  readonly proxy: Socket;
  /** Destroys the null socket if there is one, so that its listeners for `close` are called. */
  readonly close: () => void;
}

/** If one of body and proxy is destroyed, so is the other: code that reads files for a response listens to its socket. */
export function createSocketProxy(socket: Socket, body: Writable): SocketProxy {
  const isBrokenOff = (): boolean => body.closed && !body.writableFinished;
  let nullSocket: NullSocket | undefined;
  // Created on first use, because few renderers touch the connection.
  const getNullSocket = (): NullSocket => {
    if (nullSocket !== undefined) return nullSocket;
    const created = (nullSocket = new NullSocket(body));
    const destroyWithBody = (): void => {
      if (isBrokenOff()) created.destroy();
    };
    destroyWithBody();
    body.once('close', destroyWithBody);
    return created;
  };
  const proxy = new Proxy(socket, {
    get: (socket, name) => {
      // Node reads this at the end of each request.
      if (name === 'destroyed' && nullSocket === undefined) return isBrokenOff();
      const owner = WRITE_SIDE_PROPERTIES.has(name) ? getNullSocket() : socket;
      const value: unknown = Reflect.get(owner, name, owner);
      return typeof value === 'function' ? (value.bind(owner) as unknown) : value;
    },
    set: (socket, name, value: unknown) => Reflect.set(socket, name, value, socket),
  });
  return { proxy, close: () => nullSocket?.destroy() };
}
