// What the replaced properties of a response do. `response-properties.ts` says which one is used when.
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { emitOn } from './listener-set.js';
import { accessor, inheritedMethod, kCapture, type Method } from './property-overrides.js';
import type { ResponseCapture } from './response-capture.js';

/** Express skips its own ETag if there is one, so it does not hash a body that is not sent. */
const DUMMY_ETAG = 'W/"0"';

export const getHeader: Method = function (name: string) {
  // Not in `getHeaders()` or `getHeaderNames()`, because a cache in later middleware would store it.
  return this[kCapture].detachedResponse.getHeader(name) ?? (/^etag$/i.test(name) ? DUMMY_ETAG : undefined);
};

export const writeHead: Method = function (...args: Parameters<ServerResponse['writeHead']>) {
  this[kCapture].sendHead(args);
  return this[kCapture].res;
};

export const flushHeaders: Method = function () {
  this[kCapture].sendImplicitHead();
};

export const callLastArgument: Method = function (...args: unknown[]) {
  const callback = args.at(-1);
  if (typeof callback === 'function') process.nextTick(callback);
};

export const emitWhileCaptured: Method = function (event: string | symbol, ...args: unknown[]) {
  // The body emits it. This one comes from Node's own `end`, called past the overrides.
  if (event === 'finish') return false;
  const { res, outerListeners, socketProxy } = this[kCapture];
  if (event === 'socket') outerListeners.emit(event, args);
  const handled = emitOn(res, event, event === 'socket' ? [socketProxy] : args);
  // Node emits `timeout` for the connection, and destroys the connection unless a listener handles it.
  return event === 'timeout' ? outerListeners.emit(event, args) || handled : handled;
};

/** Node calls this when a pipelined response gets its turn. The view has nothing to flush. */
export const assignSocketWhileCaptured: Method = function (socket: Socket) {
  Reflect.apply(inheritedMethod(this, 'assignSocket'), this[kCapture].serverView, [socket] as never);
};

/** The reply of a pipelined response was waiting for this: Node must find the client's socket. */
export const assignSocketAfterReply: Method = function (socket: Socket) {
  this[kCapture].closed?.runAsNode(() => {
    Reflect.apply(inheritedMethod(this, 'assignSocket'), this, [socket] as never);
  });
};

export const emitAfterReply: Method = function (event: string | symbol, ...args: unknown[]) {
  return this[kCapture].closed?.emit(event, args);
};

const writeOriginal = (capture: ResponseCapture, name: string, value: unknown): void => {
  capture.writeOriginal(name, value);
};

/** Node's own methods read this field before they change a header of `res`, even when called past the overrides. */
export const sentHeader = accessor(
  (capture, name) => {
    capture.headersMayDiffer = true;
    return Reflect.get(capture.detachedResponse, name) as unknown;
  },
  (capture, name, value) => void Reflect.set(capture.detachedResponse, name, value),
);

export const socketWhileCaptured = accessor((capture) => capture.socketProxy, writeOriginal);
/** Earlier middleware may delay the end of the reply (express-session does). Node needs the real socket then. */
export const socketAfterReply = accessor((capture, name) => {
  const isReal = !Reflect.get(capture.res, 'finished') || capture.closed?.showsSocket === true;
  return isReal ? capture.readOriginal(name) : capture.socketProxy;
}, writeOriginal);
export const replyValue = accessor((capture, name) => capture.readOriginal(name));
/** The stream state is real during Node's own events. Afterwards it is that of a response that never finished. */
export const falseOutsideEvents = accessor(
  (capture, name) => capture.closed?.showsState === true && capture.readOriginal(name),
  writeOriginal,
);

export const finishedWhileCaptured = accessor(
  ({ body }) => body.writableEnded,
  // Node's own `end` sets it last.
  ({ body }, _name, value) => {
    if (value === true) body.end();
  },
);
export const send: Method = function (
  data: string | Uint8Array,
  encoding: BufferEncoding,
  callback?: () => void,
) {
  // Node's own `end` sends an empty string last.
  return data === '' || this[kCapture].body.write(data, encoding, callback);
};
/** The connection may serve the next request by now. */
export const setTimeoutAfterReply: Method = function (_milliseconds: number, callback?: () => void) {
  if (callback !== undefined) this.on('timeout', callback);
  return this;
};
