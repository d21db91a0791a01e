// What each property of a response does: while it is captured, and when it has the reply.
import { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { EMITTER_METHODS, emitOn } from './listener-set.js';
import {
  callInherited,
  kCapture,
  asReply,
  readOriginal,
  showsReply,
  writeOriginal,
  type CaptureState,
  type OwnProperties,
} from './state.js';

type Captured = ServerResponse & { readonly [kCapture]: CaptureState };
type Method = (this: Captured, ...args: never[]) => unknown;
type Methods = Readonly<Record<string, Method>>;

/** Express skips its own ETag if there is one, so it does not hash a body that is not sent. */
const DUMMY_ETAG = 'W/"0"';

/** The events that Node emits on a response. All others are emitted by its users, as `pipe` is. */
// prettier-ignore
const NODE_EVENTS = new Set<string | symbol>(['finish', 'close', 'prefinish', 'drain', 'error', 'timeout', 'socket']);

/** A property that reads and sets through the state. Without `set`, setting it has no effect. */
function accessor(
  get: (state: CaptureState) => unknown,
  set: (state: CaptureState, value: unknown) => void = () => undefined,
): PropertyDescriptor {
  return {
    configurable: true,
    get(this: Captured) {
      return get(this[kCapture]);
    },
    set(this: Captured, value: unknown) {
      set(this[kCapture], value);
    },
  };
}

/** A property of the rendered response; of the reply while `res` shows that. */
function rendered(
  name: string,
  get: (state: CaptureState) => unknown,
  set: (state: CaptureState, value: unknown) => void,
): PropertyDescriptor {
  return accessor(
    (state) => (showsReply(state) ? readOriginal(state, name) : get(state)),
    (state, value) => {
      // Once the response has the reply, only Node sets its state.
      if (state.reply === undefined) set(state, value);
      else writeOriginal(state, name, value);
    },
  );
}

/** Properties of the rendered head or body. */
function propertiesOf(part: 'renderedHead' | 'body', names: readonly string[]): PropertyDescriptorMap {
  const property = (name: string): PropertyDescriptor =>
    rendered(
      name,
      (state) => Reflect.get(state[part], name) as unknown,
      (state, value) => void Reflect.set(state[part], name, value),
    );
  return Object.fromEntries(names.map((name) => [name, property(name)]));
}

/** Methods of the rendered head or body. Where one returns its own object, the response is returned. */
function methodsOf(part: 'renderedHead' | 'body', names: readonly string[]): Methods {
  const delegate = (name: string): Method =>
    function (...args: unknown[]) {
      const { res, [part]: target } = this[kCapture];
      const result = Reflect.apply(Reflect.get(target, name) as Method, target as never, args as never);
      return result === target ? res : result;
    };
  return Object.fromEntries(names.map((name) => [name, delegate(name)]));
}

/** The renderer's writes: to the rendered response, also when they come after the reply. */
const writes: Methods = {
  ...methodsOf('renderedHead', ['setHeader', 'setHeaders', 'appendHeader', 'removeHeader', 'addTrailers']),
  ...methodsOf('body', ['write', 'end', 'destroy', 'cork', 'uncork']),
  writeHead: sendHead,
  writeHeader: sendHead,
  flushHeaders() {
    sendImplicitHead(this[kCapture]);
  },
  // Interim responses are not the image, so they are dropped.
  writeContinue: callLastArgument,
  writeProcessing: callLastArgument,
  writeEarlyHints: callLastArgument,
  writeInformation: callLastArgument,
  /** Node's own `write` and `end` get here when they are called past the overrides, as some loggers do. */
  _send(...args: [data: string | Uint8Array, encoding: BufferEncoding, callback?: () => void]) {
    if (showsReply(this[kCapture])) return callInherited(this, '_send', args);
    // Node's own `end` sends an empty string last.
    return args[0] === '' || this[kCapture].body.write(...args);
  },
};

/** The state of the rendered response. Node's getters `headersSent` and `writableEnded` read it too. */
const progress: PropertyDescriptorMap = {
  _header: rendered(
    '_header',
    (state) => {
      // Node's own methods read this field before they change a header of `res`, even when called past the overrides.
      state.headersMayDiffer = true;
      return Reflect.get(state.renderedHead, '_header') as unknown;
    },
    ({ renderedHead }, value) => void Reflect.set(renderedHead, '_header', value),
  ),
  finished: rendered(
    'finished',
    ({ body }) => body.writableEnded,
    // Node's own `end` sets it last.
    ({ body }, value) => {
      if (value === true) body.end();
    },
  ),
  ...propertiesOf('body', ['destroyed', 'errored', 'writableFinished', 'writableLength']),
  ...propertiesOf('body', ['writableHighWaterMark', 'writableNeedDrain', 'writableCorked']),
  socket: connection('socket'),
  connection: connection('connection'),
};

/** While `res` is captured. */
const captured = {
  accessors: {
    ...progress,
    ...propertiesOf('renderedHead', ['statusCode', 'statusMessage']),
    // Node reads and sets this field of the reply itself, so only a captured response has another.
    _closed: accessor(({ body }) => body.closed),
  },
  methods: selectMethods({
    ...writes,
    ...methodsOf('renderedHead', ['getHeaders', 'getHeaderNames', 'getRawHeaderNames', 'hasHeader']),
    getHeader(name: string) {
      // Not in `getHeaders()` or `getHeaderNames()`, because a cache in later middleware would store it.
      return this[kCapture].renderedHead.getHeader(name) ?? (/^etag$/i.test(name) ? DUMMY_ETAG : undefined);
    },
    emit(event: string | symbol, ...args: unknown[]) {
      // The body emits it. This one comes from Node's own `end`, called past the overrides.
      if (event === 'finish') return false;
      const { res, outerListeners, socketProxy } = this[kCapture];
      if (event !== 'socket') return emitOn(res, event, args);
      outerListeners.emit(event, args);
      return emitOn(res, event, [socketProxy]);
    },
    /** Node calls this when a pipelined response gets its turn. The view has nothing to flush. */
    assignSocket(socket: Socket) {
      callInherited(this, 'assignSocket', [socket], this[kCapture].serverView);
    },
  }),
};

/** When `res` has the reply. */
const closed = {
  accessors: {
    ...progress,
    // What the client has got stays.
    statusCode: accessor((state) => readOriginal(state, 'statusCode')),
    statusMessage: accessor((state) => readOriginal(state, 'statusMessage')),
  },
  methods: selectMethods({
    ...writes,
    emit(event: string | symbol, ...args: unknown[]) {
      const { res, reply } = this[kCapture];
      if (reply === undefined || !NODE_EVENTS.has(event)) return reply?.emit(event, ...args);
      // The error of a late write. Without a listener it would end the process, as it does not where a client has gone.
      if (event === 'error' && !reply.listeners.has(event))
        return res.listenerCount(event) > 0 && reply.emit(event, ...args);
      return asReply(this[kCapture], () => reply.listeners.emit(event, args, reply.emit));
    },
    /** The reply of a pipelined response was waiting for this: Node must find the client's socket. */
    assignSocket(socket: Socket) {
      asReply(this[kCapture], () => callInherited(this, 'assignSocket', [socket]));
    },
  }),
};

/** Own properties that are removed while captured, so that Node's own apply past the wrappers of earlier middleware. */
const UNWRAPPED = ['headersSent', 'writableEnded', 'closed', 'setTimeout', ...EMITTER_METHODS];
/** Fields that Node reads when it sends. They are the renderer's while captured, and then as before. */
// prettier-ignore
const FRAMING = ['sendDate', 'strictContentLength', 'shouldKeepAlive', 'chunkedEncoding', 'useChunkedEncodingByDefault'];

const REMOVED = new Set([...UNWRAPPED, ...Object.keys(captured.methods)]);
const CHANGED = new Set([...REMOVED, ...Object.keys(captured.accessors), ...FRAMING]);
// prettier-ignore
const NEEDED_FOR_REPLY = new Set(['removeHeader', 'setHeader', 'writeHead', 'end', 'headersSent', 'statusCode', 'statusMessage']);

/**
 * Installs the overrides of a captured response.
 *
 * @returns The own properties that they replace.
 * @throws Error Earlier middleware has made one of them read-only. The response is then untouched.
 */
export function overrideWhileCaptured(res: ServerResponse): OwnProperties {
  const own: OwnProperties = new Map();
  for (const name of Object.getOwnPropertyNames(res)) {
    const descriptor = CHANGED.has(name) ? Object.getOwnPropertyDescriptor(res, name) : undefined;
    if (descriptor === undefined) continue;
    if (descriptor.configurable === false && (name in captured.accessors || name in captured.methods)) {
      throw new Error(`A middleware before imageSave has made "${name}" of the response unchangeable`);
    }
    own.set(name, descriptor);
  }
  for (const name of own.keys()) if (REMOVED.has(name)) Reflect.deleteProperty(res, name);
  // This order, with the methods by assignment, is the fastest way to add so many properties.
  Object.defineProperties(res, captured.accessors);
  for (const name in captured.methods) assignMethod(res, name, captured.methods[name]);
  return own;
}

/**
 * Restores every property.
 *
 * @throws Error Later middleware has made one read-only that the reply needs.
 */
export function restoreProperties(res: ServerResponse, own: OwnProperties): void {
  const unchangeable: string[] = [];
  for (const name of CHANGED) {
    const descriptor = own.get(name);
    const isRestored = descriptor
      ? Reflect.defineProperty(res, name, descriptor)
      : Reflect.deleteProperty(res, name);
    if (!isRestored && NEEDED_FOR_REPLY.has(name)) unchangeable.push(name);
  }
  if (unchangeable.length === 0) return;
  throw new Error(
    `A middleware after imageSave has made "${unchangeable.join('", "')}" of the response unchangeable`,
  );
}

/**
 * Installs the overrides of a response that has the reply.
 *
 * @returns The own properties that their accessors replace.
 */
export function overrideAfterReply(res: ServerResponse): OwnProperties {
  const own: OwnProperties = new Map();
  for (const [name, accessor] of Object.entries(closed.accessors)) {
    const descriptor = Object.getOwnPropertyDescriptor(res, name);
    if (descriptor !== undefined) own.set(name, descriptor);
    Reflect.defineProperty(res, name, accessor);
  }
  for (const name in closed.methods) {
    if (Object.hasOwn(res, name)) Reflect.deleteProperty(res, name);
    assignMethod(res, name, closed.methods[name]);
  }
  return own;
}

/** Sends the rendered head as Node does before the first byte of a body. */
export function sendImplicitHead({ renderedHead, res }: CaptureState): void {
  // Through the response, because later middleware may have wrapped `writeHead`.
  if (!renderedHead.headersSent) res.writeHead(res.statusCode);
}

function sendHead(this: Captured, ...args: Parameters<ServerResponse['writeHead']>): ServerResponse {
  const { res, renderedHead, resolveHead } = this[kCapture];
  const headers: unknown = args.at(-1);
  // Node takes pairs only where no header was set before, and the rendered head always had one.
  const isPairs = Array.isArray(headers) && Array.isArray(headers[0]);
  const flat: unknown[] = isPairs ? [...args.slice(0, -1), headers.flat()] : args;
  renderedHead.writeHead(...(flat as typeof args));
  resolveHead();
  return res;
}

function callLastArgument(...args: unknown[]): void {
  const callback = args.at(-1);
  if (typeof callback === 'function') process.nextTick(callback);
}

/** The client's connection while Node sends the reply; for the renderer and for late code, the proxy. */
function connection(name: string): PropertyDescriptor {
  return accessor(
    (state) => {
      const isReal = showsReply(state) || (state.reply !== undefined && state.reply.requestDepth > 0);
      return isReal ? readOriginal(state, name) : state.socketProxy;
    },
    (state, value) => {
      writeOriginal(state, name, value);
    },
  );
}

/** Methods that this version of Node has. */
function selectMethods(methods: Methods): Methods {
  return Object.fromEntries(Object.entries(methods).filter(([name]) => name in ServerResponse.prototype));
}

/** Does nothing if middleware has made the property read-only. */
function assignMethod(res: ServerResponse, name: string, value: unknown): void {
  try {
    (res as unknown as Record<string, unknown>)[name] = value;
  } catch {
    // `restoreProperties` reports it if the reply needs the property.
  }
}
