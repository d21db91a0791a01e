// Once Node has the reply, keeps late code from it: `res` shows that code the rendered response, and no connection.
import { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { ListenerSet } from './listener-set.js';
import { overrideAfterReply } from './overrides.js';
import { kCapture, stateOf, type CaptureState, type Emit } from './state.js';

/**
 * Closes a response that carries the reply.
 *
 * Listeners from before the reply get Node's events, with the real state and connection: a server that counts
 * requests by `req.socket` finds its key. Code that runs at another time is late. It sees the rendered response, as if
 * its client had disconnected, and a proxy of the connection, which may serve the next request by now.
 */
export function closeResponse(state: CaptureState): void {
  const { req, res } = state;
  const emit = res.emit.bind(res) as Emit;
  // A request of a host without a network connection may be a plain object.
  const emitOnRequest = ((req as Partial<IncomingMessage>).emit ?? EventEmitter.prototype.emit).bind(
    req,
  ) as Emit;
  const listeners = new ListenerSet(res);
  // What late code emits reaches the listeners that the renderer has added before.
  state.rendererListeners?.reattach();
  state.rendererListeners = undefined;
  state.original = overrideAfterReply(res);
  state.reply = { listeners, emit, emitOnRequest, responseDepth: 0, requestDepth: 0 };
  (req as { [kCapture]?: CaptureState })[kCapture] = state;
  Object.defineProperty(req, 'socket', LATE_SOCKET);
  req.emit = emitOnClosedRequest;
  res.on('newListener', emitCloseToLateListener);
}

const LATE_SOCKET: PropertyDescriptor = {
  configurable: true,
  enumerable: true,
  get(this: IncomingMessage) {
    const { reply, socket, socketProxy } = stateOf(this);
    const isReal = reply !== undefined && reply.responseDepth + reply.requestDepth > 0;
    return isReal ? socket : socketProxy;
  },
  set: () => undefined,
};

function emitOnClosedRequest(this: IncomingMessage, event: string | symbol, ...args: unknown[]): boolean {
  const { reply } = stateOf(this);
  if (reply === undefined) return false;
  reply.requestDepth++;
  try {
    return reply.emitOnRequest(event, ...args);
  } finally {
    reply.requestDepth--;
  }
}

/** A closed response emits no further `close`. So a late listener is called as if the client had disconnected. */
function emitCloseToLateListener(this: ServerResponse, event: string | symbol, listener: () => void): void {
  // Otherwise the body will emit it.
  if (event !== 'close' || !stateOf(this).body.hasEmittedClose) return;
  process.nextTick(() => {
    if (!this.listeners('close').includes(listener)) return;
    this.removeListener('close', listener);
    listener.call(this);
  });
}
