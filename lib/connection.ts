// The connection, as the renderer is to see it: it knows the client, and hanging up on it harms nobody.
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { Writable } from 'node:stream';
import { EMITTER_METHODS } from './listeners.js';

/** What a connection does, in contrast to what it knows of itself and of its peer. */
const OF_THE_LINE = new Set<PropertyKey>([
  ...EMITTER_METHODS,
  ...['write', 'end', 'destroy', 'destroySoon', 'resetAndDestroy'],
  ...['destroyed', 'closed', 'errored', 'writable', 'writableEnded', 'writableFinished'],
]);

/**
 * The renderer's end of a connection that leads nowhere. Hanging up breaks its reply off and leaves the client's
 * connection alone: Express's final handler hangs up on an error in mid-reply, and our answer has yet to go out.
 */
export class Line extends Writable {
  readonly #onHangUp: (error: Error | null) => void;

  constructor(onHangUp: (error: Error | null) => void) {
    super({
      write: (_chunk, _encoding, done) => {
        done();
      },
    });
    this.#onHangUp = onHangUp;
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#onHangUp(error);
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
 * @param isDown Whether a line that was made now would be down. Node asks at the end of each request.
 * @param makeLine Called when the line is asked for: most renderers have nothing to do with it.
 */
export function standIn(real: Socket, isDown: () => boolean, makeLine: () => Line): Socket {
  let line: Line | undefined;
  return new Proxy(real, {
    get: (socket, name) => {
      if (name === 'destroyed' && line === undefined) return isDown();
      const owner = OF_THE_LINE.has(name) ? (line ??= makeLine()) : socket;
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
export function showConnection(req: IncomingMessage, connection: Socket): void {
  Object.defineProperty(req, 'socket', {
    configurable: true,
    enumerable: true,
    writable: true,
    value: connection,
  });
}
