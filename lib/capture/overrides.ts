// What each property of a response does: while it is captured, and when it has the reply.
import { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { callInherited } from './rendered-head.js';
import { EMITTER_METHODS, emitOn } from './listener-set.js';
import { kCapture, type Captured, type CaptureState } from './state.js';

type Method = (this: Captured<ServerResponse>, ...args: never[]) => unknown;
type Methods = Readonly<Record<string, Method>>;

/** The overrides of one phase. */
export interface Overrides {
  readonly accessors: PropertyDescriptorMap;
  readonly methods: Methods;
}

/** Express skips its own ETag if there is one, so it does not hash a body that is not sent. */
const DUMMY_ETAG = 'W/"0"';

/** The events that Node emits on a response. All others are emitted by its users, as `pipe` is. */
// prettier-ignore
const NODE_EVENTS = new Set<string | symbol>(['finish', 'close', 'prefinish', 'drain', 'error', 'timeout', 'socket']);

/** A property that is read and set through the state. Without `set`, setting it has no effect. */
function accessor(
  get: (state: CaptureState) => unknown,
  set: (state: CaptureState, value: unknown) => void = () => undefined,
): PropertyDescriptor {
  return {
    configurable: true,
    get(this: Captured<ServerResponse>) {
      return get(this[kCapture]);
    },
    set(this: Captured<ServerResponse>, value: unknown) {
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
    (state) => (state.showsReply ? state.readOriginal(name) : get(state)),
    (state, value) => {
      // Once the response has the reply, only Node sets its state.
      if (state.reply === undefined) set(state, value);
      else state.writeOriginal(name, value);
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

/** The renderer's writes: to the rendered response, also after the reply. `end` is that of `CapturedBody`. */
const writes: Methods = {
  ...methodsOf('renderedHead', ['setHeader', 'setHeaders', 'appendHeader', 'removeHeader', 'addTrailers']),
  ...methodsOf('body', ['write', 'end', 'destroy', 'cork', 'uncork']),
  writeHead: sendHead,
  writeHeader: sendHead,
  flushHeaders() {
    this[kCapture].sendImplicitHead();
  },
  /** Node 22 and later would set the timer of the client's connection. */
  setTimeout(milliseconds: number, callback?: () => void) {
    if (callback !== undefined) this.on('timeout', callback);
    this.socket?.setTimeout(milliseconds);
    return this;
  },
  // Interim responses are not the image, so they are dropped.
  writeContinue: callLastArgument,
  writeProcessing: callLastArgument,
  writeEarlyHints: callLastArgument,
  writeInformation: callLastArgument,
  /** Node's own `write` and `end` get here when they are called past the overrides, as some loggers do. */
  _send(...args: [data: string | Uint8Array, encoding: BufferEncoding, callback?: () => void]) {
    if (this[kCapture].showsReply) return callInherited(this, '_send', args);
    // Node's own `end` sends an empty string last.
    return args[0] === '' || this[kCapture].body.write(...args);
  },
};

/** The state of the rendered response. Node's getters `headersSent` and `writableEnded` read it too. */
const progress: PropertyDescriptorMap = {
  ...propertiesOf('renderedHead', ['_header']),
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
export const captured: Overrides = {
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
      const { res, body, otherListeners, socketProxy } = this[kCapture];
      // The body emits it. Before, it comes from Node's own `end`, called past the overrides.
      if (event === 'finish' && !body.writableFinished) return false;
      if (event !== 'socket') return emitOn(res, event, args);
      otherListeners.attachWhile(() => emitOn(res, event, args));
      return emitOn(res, event, [socketProxy.proxy]);
    },
    /** Node calls this when a pipelined response gets its turn. The view has nothing to flush. */
    assignSocket(socket: Socket) {
      callInherited(this, 'assignSocket', [socket], this[kCapture].serverView);
    },
  }),
};

/** When the client has its reply. */
export const replied: Overrides = {
  accessors: {
    ...progress,
    // Pipelines look at it. Node itself reads only the field behind it.
    ...propertiesOf('body', ['closed']),
    // What the client has got stays.
    statusCode: accessor((state) => state.readOriginal('statusCode')),
    statusMessage: accessor((state) => state.readOriginal('statusMessage')),
  },
  methods: selectMethods({
    ...writes,
    emit(event: string | symbol, ...args: unknown[]) {
      const { res, reply, otherListeners } = this[kCapture];
      if (reply === undefined || !NODE_EVENTS.has(event)) return reply?.emit(event, ...args);
      // A late write's error without a listener would end the process. So it is dropped, as where a client has gone.
      if (event === 'error' && !otherListeners.has(event))
        return res.listenerCount(event) > 0 && reply.emit(event, ...args);
      return this[kCapture].asReply(() => otherListeners.attachWhile(() => reply.emit(event, ...args)));
    },
    /** The reply of a pipelined response was waiting for this: Node must find the client's socket. */
    assignSocket(socket: Socket) {
      this[kCapture].asReply(() => callInherited(this, 'assignSocket', [socket]));
    },
  }),
};

/** Own properties that are removed while captured, so that Node's own apply past the wrappers of earlier middleware. */
export const UNWRAPPED = ['headersSent', 'writableEnded', 'closed', ...EMITTER_METHODS];
/** Fields that Node reads when it sends. They are the renderer's while captured, and then as before. */
// prettier-ignore
export const FRAMING = ['sendDate', 'strictContentLength', 'shouldKeepAlive', 'chunkedEncoding', 'useChunkedEncodingByDefault'];

function sendHead(
  this: Captured<ServerResponse>,
  ...args: Parameters<ServerResponse['writeHead']>
): ServerResponse {
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
      const isReal = state.showsReply || (state.reply !== undefined && state.reply.requestDepth > 0);
      return isReal ? state.readOriginal(name) : state.socketProxy.proxy;
    },
    (state, value) => {
      state.writeOriginal(name, value);
    },
  );
}

/** Methods that this version of Node has. */
function selectMethods(methods: Methods): Methods {
  return Object.fromEntries(Object.entries(methods).filter(([name]) => name in ServerResponse.prototype));
}
