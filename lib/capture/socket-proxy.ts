// The connection, as the renderer is to see it: it knows the client, and hanging up on it harms nobody.
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { Writable } from 'node:stream';
import { EMITTER_METHODS } from './listener-set.js';

/** What a connection does, in contrast to what it knows of itself and of its peer. */
const WRITE_SIDE_PROPERTIES = new Set<PropertyKey>([
  ...EMITTER_METHODS,
  ...['write', 'end', 'destroy', 'destroySoon', 'resetAndDestroy'],
  ...['destroyed', 'closed', 'errored', 'writable', 'writableEnded', 'writableFinished'],
]);

/**
 * The renderer's end of a connection that leads nowhere. Hanging up breaks its reply off and leaves the client's
 * connection alone: Express's final handler hangs up on an error in mid-reply, and our answer has yet to go out.
 */
export class NullSocket extends Writable {
  readonly #onDestroy: (error: Error | null) => void;

  constructor(onDestroy: (error: Error | null) => void) {
    super({
      write: (_chunk, _encoding, done) => {
        done();
      },
    });
    this.#onDestroy = onDestroy;
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#onDestroy(error);
    done();
  }

  destroySoon(): void {
    this.destroy();
  }

  resetAndDestroy(): this {
    return this.destroy();
  }
}

/**
 * A connection that knows what the real one knows, and does what the line does.
 *
 * @param isDestroyed Whether a line that was made now would be down. Node asks at the end of each request.
 * @param createNullSocket Called when the line is asked for: most renderers have nothing to do with it.
 */
export function createSocketProxy(
  socket: Socket,
  isDestroyed: () => boolean,
  createNullSocket: () => NullSocket,
): Socket {
  let nullSocket: NullSocket | undefined;
  return new Proxy(socket, {
    get: (socket, name) => {
      if (name === 'destroyed' && nullSocket === undefined) return isDestroyed();
      const owner = WRITE_SIDE_PROPERTIES.has(name) ? (nullSocket ??= createNullSocket()) : socket;
      const value: unknown = Reflect.get(owner, name, owner);
      return typeof value === 'function' ? (value.bind(owner) as unknown) : value;
    },
    set: (socket, name, value: unknown) => Reflect.set(socket, name, value, socket),
  });
}

/**
 * Shows the renderer the stand-in as the request's connection, and goes on doing so: a renderer that fails after
 * our answer hangs up too, when the real connection is already serving the next request.
 */
export function setRequestSocket(req: IncomingMessage, connection: Socket): void {
  Object.defineProperty(req, 'socket', {
    configurable: true,
    enumerable: true,
    writable: true,
    value: connection,
  });
}
