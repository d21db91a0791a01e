// After the reply has been handed to Node, makes `res` look unfinished to code that touches it later, and keeps the
// client's connection from that code.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { ListenerSet } from './listener-set.js';
import { kCapture } from './property-overrides.js';
import type { ResponseCapture } from './response-capture.js';
import { overrideAfterReply } from './response-properties.js';

/** The events that Node emits on a response. All others are emitted by its users, as `pipe` is. */
const NODE_EVENTS = new Set<string | symbol>([
  ...['finish', 'close', 'prefinish', 'drain', 'error', 'timeout', 'socket'],
]);

type Emit = (...args: unknown[]) => boolean;

/**
 * The closed phase of a response.
 *
 * Listeners from before the reply get Node's events, with the real state and connection: a server that counts
 * requests by `req.socket` finds its key. Code that runs at another time is late and sees an unfinished response,
 * so a pipeline that starts late fails instead of hanging. It also sees a proxy of the connection, because the
 * connection may serve the next request by now.
 */
export class ClosedResponse {
  readonly #listeners: ListenerSet;
  /** The `emit` of the restored response, which earlier middleware may have wrapped. */
  readonly #emit: Emit;
  readonly #emitOnRequest: Emit;
  readonly #res: ServerResponse;
  #responseDepth = 0;
  #requestDepth = 0;

  constructor(capture: ResponseCapture) {
    const { req, res } = capture;
    this.#emit = res.emit.bind(res) as Emit;
    this.#res = res;
    this.#emitOnRequest = req.emit.bind(req) as Emit;
    this.#listeners = new ListenerSet(res);
    capture.original = overrideAfterReply(res);
    (req as ClosedRequest)[kCapture] = capture as ClosedRequest[typeof kCapture];
    Object.defineProperty(req, 'socket', LATE_SOCKET);
    req.emit = emitOnClosedRequest;
    res.on('newListener', emitCloseToLateListener);
  }

  /** Node is working on the response, or its events are being emitted. */
  get showsState(): boolean {
    return this.#responseDepth > 0;
  }

  /** Events of the response or of the request are being emitted. */
  get showsSocket(): boolean {
    return this.#responseDepth > 0 || this.#requestDepth > 0;
  }

  emit(event: string | symbol, args: unknown[]): boolean {
    if (!NODE_EVENTS.has(event)) return this.#emit(event, ...args);
    // The error of a late write. Without a listener it would end the process, as it does not where a client has gone.
    if (event === 'error' && !this.#listeners.has(event))
      return this.#res.listenerCount(event) > 0 && this.#emit(event, ...args);
    return this.runAsNode(() => this.#listeners.emit(event, args, this.#emit));
  }

  emitOnRequest(args: unknown[]): boolean {
    this.#requestDepth++;
    try {
      return this.#emitOnRequest(...args);
    } finally {
      this.#requestDepth--;
    }
  }

  /** Shows the real state and connection while a function runs. */
  runAsNode<Result>(run: () => Result): Result {
    this.#responseDepth++;
    try {
      return run();
    } finally {
      this.#responseDepth--;
    }
  }
}

interface ClosedRequest extends IncomingMessage {
  [kCapture]: ResponseCapture & { closed: ClosedResponse };
}

const LATE_SOCKET: PropertyDescriptor = {
  configurable: true,
  enumerable: true,
  get(this: ClosedRequest) {
    const { closed, socket, socketProxy } = this[kCapture];
    return closed.showsSocket ? socket : socketProxy;
  },
  set: () => undefined,
};

function emitOnClosedRequest(this: IncomingMessage, ...args: unknown[]): boolean {
  return (this as ClosedRequest)[kCapture].closed.emitOnRequest(args);
}

/** A closed response emits no further `close`. So a late listener is called as if the client had disconnected. */
function emitCloseToLateListener(this: ServerResponse, event: string | symbol, listener: () => void): void {
  if (event !== 'close') return;
  process.nextTick(() => {
    if (!this.listeners('close').includes(listener)) return;
    this.removeListener('close', listener);
    listener.call(this);
  });
}
