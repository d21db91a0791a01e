// Redirects everything that the renderer does to `res` into memory. docs/architecture.md explains the three phases of a
// response (captured, restored, replied), and which other designs fail.
import { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { discardUnreadBody } from './connection.js';
import { restoreHeaders } from './rendered-head.js';
import { captured, FRAMING, replied, UNWRAPPED, type Overrides } from './overrides.js';
import { setIfPossible } from './rewrite-request.js';
import { CaptureState, kCapture, type Captured, type Emit, type OwnProperties } from './state.js';

const CHANGED_BY_CAPTURE = new Set([...UNWRAPPED, ...FRAMING, ...namesOf(captured)]);
const CHANGED_BY_REPLY = new Set(namesOf(replied));
// prettier-ignore
const NEEDED_FOR_REPLY = new Set(['removeHeader', 'setHeader', 'writeHead', 'end', 'headersSent', 'statusCode', 'statusMessage']);

/**
 * Separates a response from its client.
 *
 * @param onAbort Called when the renderer destroys its response, with its error if there is one.
 * @throws Error Earlier middleware has made a property of the response read-only. The response is then untouched.
 */
export function captureResponse(
  req: IncomingMessage,
  res: ServerResponse,
  onAbort: (error: Error | null) => void,
): CaptureState {
  if (!Object.isExtensible(res)) throw new Error('A middleware before imageSave has fixed the response');
  for (const name of Object.getOwnPropertyNames(res)) {
    const isOverridden = name in captured.accessors || name in captured.methods;
    if (isOverridden && Object.getOwnPropertyDescriptor(res, name)?.configurable === false)
      throw new Error(`A middleware before imageSave has made "${name}" of the response unchangeable`);
  }
  const state = new CaptureState(req, res, onAbort);
  state.original = override(res, captured, CHANGED_BY_CAPTURE);
  state.otherListeners.swap();
  Object.defineProperty(res, kCapture, { value: state });
  setIfPossible(req, 'socket', state.socketProxy.proxy);
  replaceMessage(state.readOriginal('socket'), res, state.serverView);
  return state;
}

/**
 * Restores the response as it was before the capture, and the client's method. More calls do nothing.
 *
 * @throws Error Later middleware has made a property read-only that the reply needs.
 */
export function restoreResponse(state: CaptureState): void {
  if (state.isRestored) return;
  state.isRestored = true;
  const { req, res, otherListeners, original } = state;
  otherListeners.swap();
  replaceMessage(state.readOriginal('socket'), state.serverView, res);
  setIfPossible(req, 'socket', state.socket);
  setIfPossible(req, 'method', state.clientMethod);
  // Earlier middleware reads the client's method now. On the next tick, a renderer that goes on finds GET again.
  if (!state.body.writableEnded) process.nextTick(setIfPossible, req, 'method', 'GET');
  const unchangeable: string[] = [];
  for (const name of CHANGED_BY_CAPTURE) {
    const descriptor = original.get(name);
    const isRestored =
      descriptor === undefined
        ? Reflect.deleteProperty(res, name)
        : Reflect.defineProperty(res, name, descriptor);
    if (!isRestored && NEEDED_FOR_REPLY.has(name)) unchangeable.push(name);
  }
  if (unchangeable.length > 0) {
    const names = unchangeable.join('", "');
    throw new Error(`A middleware after imageSave has made "${names}" of the response unchangeable`);
  }
  restoreHeaders(res, state.headers);
  if (discardUnreadBody(req)) res.shouldKeepAlive = false;
}

/**
 * Protects a reply, once sent, from late code: that sees the rendered response, as if its client had disconnected, and a
 * proxy of the connection: that may serve the next request by now. During Node's events, listeners from before the reply
 * see the real state: a server that counts requests by `req.socket` finds its key.
 */
export function protectReply(state: CaptureState): void {
  const { req, res } = state;
  const emit = res.emit.bind(res) as Emit;
  // A request of a host without a network connection may be a plain object.
  const emitOnRequest = ('emit' in req ? req.emit.bind(req) : EventEmitter.prototype.emit.bind(req)) as Emit;
  // What late code emits reaches the listeners that the renderer has added before.
  state.otherListeners.swap();
  state.original = override(res, replied, CHANGED_BY_REPLY);
  state.reply = { emit, emitOnRequest, responseDepth: 0, requestDepth: 0 };
  // Of a request that a host has fixed, late code finds the connection as it is.
  if (Object.isExtensible(req)) {
    Object.assign(req, { [kCapture]: state });
    Reflect.defineProperty(req, 'socket', LATE_SOCKET);
    req.emit = emitOnLateRequest;
  }
  res.on('newListener', emitCloseToLateListener);
  state.socketProxy.close();
}

const LATE_SOCKET: PropertyDescriptor = {
  configurable: true,
  enumerable: true,
  get(this: Captured<IncomingMessage>) {
    const { reply, socket, socketProxy } = this[kCapture];
    const isReal = reply !== undefined && reply.responseDepth + reply.requestDepth > 0;
    return isReal ? socket : socketProxy.proxy;
  },
  set: () => undefined,
};

function emitOnLateRequest(
  this: Captured<IncomingMessage>,
  event: string | symbol,
  ...args: unknown[]
): boolean {
  const { reply } = this[kCapture];
  if (reply === undefined) return false;
  reply.requestDepth++;
  try {
    return reply.emitOnRequest(event, ...args);
  } finally {
    reply.requestDepth--;
  }
}

/** A response emits `close` once. So a later listener is called as if the client had disconnected. */
function emitCloseToLateListener(
  this: Captured<ServerResponse>,
  event: string | symbol,
  listener: () => void,
): void {
  // Otherwise the body will emit it.
  if (event !== 'close' || !this[kCapture].body.hasEmittedClose) return;
  process.nextTick(() => {
    if (!this.listeners('close').includes(listener)) return;
    this.removeListener('close', listener);
    listener.call(this);
  });
}

function namesOf({ accessors, methods }: Overrides): string[] {
  return [...Object.keys(accessors), ...Object.keys(methods)];
}

/**
 * Installs overrides.
 *
 * @param changed Names of own properties to return. Of these, only the framing is neither removed nor replaced.
 * @returns The own properties of these names.
 */
function override(
  res: ServerResponse,
  { accessors, methods }: Overrides,
  changed: ReadonlySet<string>,
): OwnProperties {
  const own = new Map<string, PropertyDescriptor>();
  for (const name of Object.getOwnPropertyNames(res)) {
    const descriptor = changed.has(name) ? Object.getOwnPropertyDescriptor(res, name) : undefined;
    if (descriptor !== undefined) own.set(name, descriptor);
  }
  for (const name of own.keys())
    if (!(name in accessors) && !FRAMING.includes(name)) Reflect.deleteProperty(res, name);
  for (const [name, accessor] of Object.entries(accessors)) Reflect.defineProperty(res, name, accessor);
  // By assignment, which is faster.
  for (const name in methods) {
    try {
      (res as unknown as Record<string, unknown>)[name] = methods[name];
    } catch {
      // A middleware has made it read-only. `restoreResponse` reports that if the reply needs it.
    }
  }
  return own;
}

/** Replaces the response that a connection is serving. A pipelined response has no connection yet. */
function replaceMessage(socket: unknown, current: ServerResponse, replacement: ServerResponse): void {
  const connection = socket as { _httpMessage?: ServerResponse | null } | null | undefined;
  if (connection?._httpMessage === current) connection._httpMessage = replacement;
}
