// The record of one captured response, which its overrides find by `kCapture`.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { CapturedBody } from './captured-body.js';
import type { ListenerSet } from './listener-set.js';

/** Own property descriptors by name. A missing name means: inherited. */
export type OwnProperties = Map<string, PropertyDescriptor>;

export interface CaptureState {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  /** The method of the client's request. For the renderer it is GET. */
  readonly clientMethod: string | undefined;
  /** The client's connection; undefined or null in some hosts without a network, whatever Node's types say. */
  readonly socket: Socket;
  /** The connection that the renderer sees. */
  readonly socketProxy: Socket;
  /** The renderer's status and headers, in a response without a connection. */
  readonly renderedHead: ServerResponse;
  /** The renderer's body, in place of the connection. */
  readonly body: CapturedBody;
  /** The response that Node's server sees. */
  readonly serverView: ServerResponse;
  /** The listeners from before the capture. */
  readonly outerListeners: ListenerSet;
  /** The renderer's listeners, from the capture's end until the response has the reply. */
  rendererListeners?: ListenerSet | undefined;
  /** Tells the save that the renderer has sent its head. */
  readonly resolveHead: () => void;
  /** The own properties of `res` that its overrides replace. */
  original: OwnProperties;
  /** Whether a method of Node's own may have changed headers of `res`, past its overrides. */
  headersMayDiffer: boolean;
  /** Set when the response has the reply. */
  reply?: ReplyEvents;
}

/** The events of a response that has the reply. */
export interface ReplyEvents {
  /** The listeners from before the reply. */
  readonly listeners: ListenerSet;
  /** The `emit` of the response and of the request, which earlier middleware may have wrapped. */
  readonly emit: Emit;
  readonly emitOnRequest: Emit;
  /** How many events of the response, and of the request, are being emitted now. */
  responseDepth: number;
  requestDepth: number;
}

export type Emit = (event: string | symbol, ...args: unknown[]) => boolean;

/** The key under which a captured response, and a request whose response has the reply, keep their state. */
export const kCapture = Symbol('capture');

export function stateOf(message: object): CaptureState {
  return (message as { [kCapture]: CaptureState })[kCapture];
}

/**
 * Whether `res` shows the reply: while Node sends it, and during the events that Node emits for it. At any other time
 * `res` shows the rendered response, whose client has disconnected if the renderer had not ended it.
 */
export function showsReply(state: CaptureState): boolean {
  return (
    state.reply !== undefined && (state.reply.responseDepth > 0 || readOriginal(state, 'finished') !== true)
  );
}

/** Runs code of Node's, or its events, for a response that has the reply: `res` shows that, and `req` is the client's. */
export function asReply<Result>(state: CaptureState, run: () => Result): Result {
  const { reply } = state;
  if (reply === undefined) return run();
  reply.responseDepth++;
  try {
    return asClient(state, run);
  } finally {
    reply.responseDepth--;
  }
}

/** Runs a function that finds the client's method. It stays, unless the renderer is late and may still look at it. */
export function asClient<Result>({ req, body, clientMethod }: CaptureState, run: () => Result): Result {
  const { method } = req;
  req.method = clientMethod;
  try {
    return run();
  } finally {
    if (!body.writableEnded) req.method = method;
  }
}

/** Reads the property that an override replaces. */
export function readOriginal({ res, original }: CaptureState, name: string): unknown {
  const own = original.get(name);
  if (own === undefined) return Reflect.get(Object.getPrototypeOf(res) as object, name, res);
  return own.get === undefined ? own.value : (own.get.call(res) as unknown);
}

/** Sets the property that an override replaces. */
export function writeOriginal({ res, original }: CaptureState, name: string, value: unknown): void {
  const own = original.get(name);
  if (own === undefined) Reflect.set(Object.getPrototypeOf(res) as object, name, value, res);
  else own.value = value;
}

/** Calls the method that the host, or Node, gives to every response: without wrappers by middleware. */
export function callInherited(
  res: ServerResponse,
  name: string,
  args: readonly unknown[],
  target = res,
): unknown {
  const method = Reflect.get(Object.getPrototypeOf(res) as object, name) as (...args: unknown[]) => unknown;
  return Reflect.apply(method, target, args);
}
