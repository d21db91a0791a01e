// The response, as long as the renderer has it: what is done to it reaches a reply image and not the client.
import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { NullSocket, setRequestSocket, createSocketProxy } from './socket-proxy.js';
import { defineAccessors, type AccessorMap } from './property-overrides.js';
import { presentAsClosed } from './closed-response.js';
import { ListenerSet, EMITTER_METHODS, emitOn } from './listener-set.js';
import { CapturedBody } from './captured-body.js';

/** What the renderer has said of its reply before the first byte of it. */
export interface ResponseHead {
  readonly status: number;
  /** The value of `Content-Length`, or undefined where none was given. */
  readonly contentLength: string | undefined;
  /** The value of `Content-Encoding`, or an empty string. */
  readonly contentEncoding: string;
}

/** What stands behind a response while the renderer has it. */
interface Stage {
  readonly res: ServerResponse;
  /** A second response that has no connection: Node's own rules for headers, kept apart from ours. */
  readonly head: ServerResponse;
  readonly body: CapturedBody;
  readonly connection: Socket;
  readonly sendHead: (...args: Parameters<ServerResponse['writeHead']>) => void;
  readonly sendImplicitHead: () => void;
  readonly outerListeners: ListenerSet;
  /** What the response was itself, by property; of a property that is not here, it had none of its own. */
  readonly original: ReadonlyMap<string, PropertyDescriptor>;
}

const kCapture = Symbol('what stands behind a held response');

interface CapturedResponse extends ServerResponse {
  [kCapture]: Stage;
}

/** Swallowed, but for their callbacks: what is sent on the way to the reply is not the reply. */
const INFORMATIONAL = ['writeContinue', 'writeProcessing', 'writeEarlyHints', 'writeInformation'];

/** Spares Express the hash of a body whose ETag nobody gets: it makes one only where it is told of none. */
const NO_ETAG = 'W/"0"';

type Method = (this: CapturedResponse, ...args: never[]) => unknown;

const sendHead: Method = function (...args: Parameters<ServerResponse['writeHead']>) {
  this[kCapture].sendHead(...args);
  return this[kCapture].res;
};

/** The state that the renderer sees. What a response has properties of its own for comes first: that is the fastest. */
const STATE_OVERRIDES: AccessorMap = {
  ...delegateProperties('head', ['_header', 'statusCode', 'statusMessage']),
  ...delegateProperties('body', [
    ...['destroyed', 'errored', 'writableFinished', 'writableLength'],
    ...['writableHighWaterMark', 'writableNeedDrain', 'writableCorked'],
  ]),
  ...defineAccessors<CapturedResponse>(['finished'], (res) => res[kCapture].body.writableEnded),
  ...defineAccessors<CapturedResponse>(['_closed'], (res) => res[kCapture].body.closed),
  ...defineAccessors<CapturedResponse>(['connection'], (res) => res[kCapture].connection),
  // Node itself gives a pipelined response its connection when its turn comes.
  ...defineAccessors<CapturedResponse>(
    ['socket'],
    (res) => res[kCapture].connection,
    (held, name, socket) => {
      const { res, original } = held[kCapture];
      const descriptor = original.get(name);
      // Before Node 22 it is a property of the response, since then one of its prototype.
      if (descriptor === undefined) Reflect.set(Object.getPrototypeOf(res) as object, name, socket, res);
      else descriptor.value = socket;
    },
  ),
};

/** What Node's prototype makes of all these, for as long as nobody has put a property of the response before it. */
const PROTOTYPE_GETTERS = ['headersSent', 'writableEnded', 'closed'];

/** What concerns nobody but Node's own way of sending: a renderer may set it, and our answer is sent without. */
const FRAMING_FIELDS = [
  ...['sendDate', 'strictContentLength', 'shouldKeepAlive'],
  ...['chunkedEncoding', 'useChunkedEncodingByDefault'],
];

/**
 * What the renderer does to a response, by what does it instead. Everything that is not named here (Express's own
 * methods, `req`, `locals`, `app`) is left as it is and works by way of what is.
 *
 * All of it is made once, and finds what is behind the one response by that: a face of its own for each response
 * would cost more than all else that a save does in this process.
 */
const METHOD_OVERRIDES: Readonly<Record<string, Method>> = {
  ...delegateMethods('head', [
    ...['setHeader', 'setHeaders', 'appendHeader', 'removeHeader', 'addTrailers'],
    ...['getHeaders', 'getHeaderNames', 'getRawHeaderNames', 'hasHeader'],
  ]),
  ...delegateMethods('body', ['write', 'end', 'destroy', 'cork', 'uncork']),
  ...Object.fromEntries(
    INFORMATIONAL.filter((name) => name in ServerResponse.prototype).map((name) => [name, callLastArgument]),
  ),
  // Told only to who asks for it by name, and not in the lists: a cache must not keep it.
  getHeader(name: string) {
    return this[kCapture].head.getHeader(name) ?? (/^etag$/i.test(name) ? NO_ETAG : undefined);
  },
  writeHead: sendHead,
  writeHeader: sendHead,
  flushHeaders() {
    this[kCapture].sendImplicitHead();
  },
  emit(event: string | symbol, ...args: unknown[]) {
    const { res, outerListeners } = this[kCapture];
    const handled = emitOn(res, event, args);
    // Node says this of the connection, and hangs up where nobody hears it.
    return event === 'timeout' ? outerListeners.emit(event, args) || handled : handled;
  },
};

/** What a renderer that is late could still do to a response that carries our answer. */
const MUTATING_METHODS = [
  ...['setHeader', 'setHeaders', 'appendHeader', 'removeHeader', 'addTrailers', 'writeHead', 'writeHeader'],
  ...['flushHeaders', 'write', 'end', 'destroy', 'cork', 'uncork', ...INFORMATIONAL],
].filter((name) => name in METHOD_OVERRIDES);

/** What our answer goes through. */
const NEEDED_FOR_REPLY = new Set([
  ...['removeHeader', 'setHeader', 'writeHead', 'end', 'headersSent', 'statusCode', 'statusMessage'],
]);

/**
 * Holds a response between a renderer and its client.
 *
 * From the moment this is made, the response is the renderer's: what it sets, sends and listens to is kept apart,
 * with a state, events and errors of its own. {@link restore} gives the response back as it was before, so that
 * our answer goes through whatever was mounted before us and around whatever was mounted after us. {@link ignoreLateWrites}
 * then lets a renderer that is late do whatever it likes to no effect.
 */
export class ResponseCapture {
  /** Settles when the renderer sends its headers; never fails. */
  readonly head: Promise<ResponseHead>;
  readonly body: CapturedBody;
  readonly #stage: Stage;
  /** The renderer's own listeners, once the response is no longer the renderer's. */
  #listenersOfRenderer: ListenerSet | undefined;

  /**
   * @param onAbort Called when the renderer breaks its reply off, with its error if it has one.
   */
  constructor(req: IncomingMessage, res: ServerResponse, onAbort: (error: Error | null) => void) {
    const head = createHeadResponse(req, res);
    const sendImplicitHead = (): void => {
      // By the response, so that whoever has wrapped its writeHead since is asked too.
      if (!head.headersSent) res.writeHead(res.statusCode);
    };
    const body = (this.body = new CapturedBody(sendImplicitHead, onAbort));
    body.emit = this.#forwardEvents(body);
    // Much of what reads files for a response listens to the connection for the client's leaving.
    const isDown = (): boolean => body.closed && !body.writableFinished;
    const connection = createSocketProxy(req.socket, isDown, () => {
      const nullSocket = new NullSocket((error) => {
        body.destroy(error);
      });
      const destroyWithBody = (): void => {
        if (isDown()) nullSocket.destroy();
      };
      destroyWithBody();
      body.once('close', destroyWithBody);
      return nullSocket;
    });

    let headSent: (head: ResponseHead) => void;
    this.head = new Promise((resolve) => {
      headSent = resolve;
    });
    const sendHead = (...args: Parameters<ServerResponse['writeHead']>): void => {
      head.writeHead(...args);
      headSent(readHead(head));
    };

    // Looked at before anything is changed: the answer needs the response as it was.
    const original = snapshotOwnProperties(res);
    for (const name of original.keys()) if (SHADOWED_PROPERTIES.has(name)) Reflect.deleteProperty(res, name);
    // Those who listened before must not hear what the renderer makes the response say.
    const outerListeners = new ListenerSet(res);
    this.#stage = { res, head, body, connection, sendHead, sendImplicitHead, outerListeners, original };
    // In this order, and the methods by assignment: the fastest way to add so many.
    Object.defineProperties(res, STATE_OVERRIDES);
    Object.defineProperty(res, kCapture, { value: this.#stage, configurable: true });
    for (const name in METHOD_OVERRIDES) assignOverride(res, name);
    setRequestSocket(req, connection);
  }

  /**
   * Gives the response back as it was before the renderer had it, with its state, its listeners and its connection.
   *
   * @throws Error Somebody after us has fixed a property that the answer needs.
   */
  restore(): void {
    if (this.#listenersOfRenderer !== undefined) return;
    const { res, original, outerListeners } = this.#stage;
    // Whatever the renderer's stream still has to say reaches those who listened to it.
    this.#listenersOfRenderer = new ListenerSet(res);
    outerListeners.reattach();
    const unchangeable: string[] = [];
    for (const name of OVERRIDDEN_PROPERTIES) {
      const descriptor = original.get(name);
      const restored =
        descriptor === undefined
          ? Reflect.deleteProperty(res, name)
          : Reflect.defineProperty(res, name, descriptor);
      if (!restored && NEEDED_FOR_REPLY.has(name)) unchangeable.push(name);
    }
    if (unchangeable.length > 0) {
      throw new Error(
        `A middleware after imageSave has made "${unchangeable.join('", "')}" of the response unchangeable`,
      );
    }
  }

  /**
   * To be called when our answer has been handed to the response: from here on, changes to it are taken by what
   * the renderer had before, which has ended, and do nothing.
   */
  ignoreLateWrites(): void {
    const { res, original } = this.#stage;
    for (const name of MUTATING_METHODS) {
      if (original.has(name)) Reflect.deleteProperty(res, name);
      assignOverride(res, name);
    }
    presentAsClosed(res);
  }

  #forwardEvents(body: CapturedBody): (event: string | symbol, ...args: unknown[]) => boolean {
    return (event, ...args) => {
      const handled = emitOn(body, event, args);
      if (event === 'error') return handled;
      const listeners = this.#listenersOfRenderer;
      return (listeners?.emit(event, args) ?? emitOn(this.#stage.res, event, args)) || handled;
    };
  }
}

/** What a response must have none of its own of before it gets ours, or those of its prototype. */
const SHADOWED_PROPERTIES = new Set([
  ...Object.keys(METHOD_OVERRIDES),
  ...PROTOTYPE_GETTERS,
  ...EMITTER_METHODS,
]);

/** Every property of a response that is changed while it is held. */
const OVERRIDDEN_PROPERTIES = new Set([
  ...Object.keys(STATE_OVERRIDES),
  ...FRAMING_FIELDS,
  ...SHADOWED_PROPERTIES,
]);

/** Puts the renderer's method in the place of a response's own, unless somebody has made that unchangeable. */
function assignOverride(res: ServerResponse, name: string): void {
  try {
    (res as unknown as Record<string, unknown>)[name] = METHOD_OVERRIDES[name];
  } catch {
    // It stays as it is.
  }
}

/** What a response has of its own of what is going to be changed. */
function snapshotOwnProperties(res: ServerResponse): Map<string, PropertyDescriptor> {
  const own = new Map<string, PropertyDescriptor>();
  for (const name of Object.getOwnPropertyNames(res)) {
    const descriptor = OVERRIDDEN_PROPERTIES.has(name)
      ? Object.getOwnPropertyDescriptor(res, name)
      : undefined;
    if (descriptor === undefined) continue;
    if ((name in STATE_OVERRIDES || name in METHOD_OVERRIDES) && descriptor.configurable === false) {
      throw new Error(`A middleware before imageSave has made "${name}" of the response unchangeable`);
    }
    own.set(name, descriptor);
  }
  return own;
}

/** A response without a connection, with the headers that were set before us: Node's rules, nobody's listeners. */
function createHeadResponse(req: IncomingMessage, res: ServerResponse): ServerResponse {
  const head = new ServerResponse(req);
  const original = Object.entries(res.getHeaders());
  for (const [name, value] of original) if (value !== undefined) head.setHeader(name, value);
  if (original.length === 0) {
    // Once a header has been set, Node keeps those given to writeHead where they can be read.
    head.setHeader('ETag', NO_ETAG);
    head.removeHeader('ETag');
  }
  head.statusCode = res.statusCode;
  head.statusMessage = res.statusMessage;
  head.sendDate = res.sendDate;
  return head;
}

function readHead(head: ServerResponse): ResponseHead {
  const contentLength = head.getHeader('Content-Length');
  const contentEncoding = head.getHeader('Content-Encoding');
  return {
    status: head.statusCode,
    contentLength: contentLength === undefined ? undefined : String(contentLength),
    contentEncoding: contentEncoding === undefined ? '' : String(contentEncoding),
  };
}

/** Methods that do to the head or the body what is done to the response, and answer as the response. */
function delegateMethods(part: 'head' | 'body', names: readonly string[]): Record<string, Method> {
  const ofThisNode = names.filter((name) => part === 'body' || name in ServerResponse.prototype);
  return Object.fromEntries(
    ofThisNode.map((name) => [
      name,
      function (...args: unknown[]) {
        const { res, [part]: target } = this[kCapture];
        const method = Reflect.get(target, name) as (...args: unknown[]) => unknown;
        const result = Reflect.apply(method, target, args);
        return result === target ? res : result;
      } satisfies Method,
    ]),
  );
}

/** Properties that are those of the head or the body. */
function delegateProperties(part: 'head' | 'body', names: readonly string[]): AccessorMap {
  return defineAccessors<CapturedResponse>(
    names,
    (res, name) => Reflect.get(res[kCapture][part], name) as unknown,
    (res, name, value) => {
      Reflect.set(res[kCapture][part], name, value);
    },
  );
}

function callLastArgument(...args: unknown[]): void {
  const callback = args.at(-1);
  if (typeof callback === 'function') process.nextTick(callback);
}
