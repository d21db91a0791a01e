// The response, as long as the renderer has it: what is done to it reaches a reply image and not the client.
import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Line, showConnection, standIn } from './connection.js';
import { properties, type Face } from './face.js';
import { closeForLatecomers } from './latecomers.js';
import { Audience, EMITTER_METHODS, emit } from './listeners.js';
import { ReplyStream } from './reply-stream.js';

/** What the renderer has said of its reply before the first byte of it. */
export interface ReplyHead {
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
  readonly body: ReplyStream;
  readonly connection: Socket;
  readonly sendHead: (...given: Parameters<ServerResponse['writeHead']>) => void;
  readonly settleHead: () => void;
  readonly listenersBefore: Audience;
  /** What the response was itself, by property; of a property that is not here, it had none of its own. */
  readonly before: ReadonlyMap<string, PropertyDescriptor>;
}

const STAGE = Symbol('what stands behind a held response');

interface HeldResponse extends ServerResponse {
  [STAGE]: Stage;
}

/** Swallowed, but for their callbacks: what is sent on the way to the reply is not the reply. */
const INFORMATIONAL = ['writeContinue', 'writeProcessing', 'writeEarlyHints', 'writeInformation'];

/** Spares Express the hash of a body whose ETag nobody gets: it makes one only where it is told of none. */
const NO_ETAG = 'W/"0"';

type Method = (this: HeldResponse, ...given: never[]) => unknown;

const sendHead: Method = function (...given: Parameters<ServerResponse['writeHead']>) {
  this[STAGE].sendHead(...given);
  return this[STAGE].res;
};

/** The state that the renderer sees. What a response has properties of its own for comes first: that is the fastest. */
const STATES: Face = {
  ...statesOf('head', ['_header', 'statusCode', 'statusMessage']),
  ...statesOf('body', [
    ...['destroyed', 'errored', 'writableFinished', 'writableLength'],
    ...['writableHighWaterMark', 'writableNeedDrain', 'writableCorked'],
  ]),
  ...properties<HeldResponse>(['finished'], (res) => res[STAGE].body.writableEnded),
  ...properties<HeldResponse>(['_closed'], (res) => res[STAGE].body.closed),
  ...properties<HeldResponse>(['connection'], (res) => res[STAGE].connection),
  // Node itself gives a pipelined response its connection when its turn comes.
  ...properties<HeldResponse>(
    ['socket'],
    (res) => res[STAGE].connection,
    (held, name, socket) => {
      const { res, before } = held[STAGE];
      const own = before.get(name);
      // Before Node 22 it is a property of the response, since then one of its prototype.
      if (own === undefined) Reflect.set(Object.getPrototypeOf(res) as object, name, socket, res);
      else own.value = socket;
    },
  ),
};

/** What Node's prototype makes of all these, for as long as nobody has put a property of the response before it. */
const DERIVED = ['headersSent', 'writableEnded', 'closed'];

/** What concerns nobody but Node's own way of sending: a renderer may set it, and our answer is sent without. */
const SETTINGS = [
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
const METHODS: Readonly<Record<string, Method>> = {
  ...methodsOf('head', [
    ...['setHeader', 'setHeaders', 'appendHeader', 'removeHeader', 'addTrailers'],
    ...['getHeaders', 'getHeaderNames', 'getRawHeaderNames', 'hasHeader'],
  ]),
  ...methodsOf('body', ['write', 'end', 'destroy', 'cork', 'uncork']),
  ...Object.fromEntries(
    INFORMATIONAL.filter((name) => name in ServerResponse.prototype).map((name) => [name, callBack]),
  ),
  // Told only to who asks for it by name, and not in the lists: a cache must not keep it.
  getHeader(name: string) {
    return this[STAGE].head.getHeader(name) ?? (/^etag$/i.test(name) ? NO_ETAG : undefined);
  },
  writeHead: sendHead,
  writeHeader: sendHead,
  flushHeaders() {
    this[STAGE].settleHead();
  },
  emit(event: string | symbol, ...given: unknown[]) {
    const { res, listenersBefore } = this[STAGE];
    const heard = emit(res, event, given);
    // Node says this of the connection, and hangs up where nobody hears it.
    return event === 'timeout' ? listenersBefore.hear(event, given) || heard : heard;
  },
};

/** What a renderer that is late could still do to a response that carries our answer. */
const CHANGES = [
  ...['setHeader', 'setHeaders', 'appendHeader', 'removeHeader', 'addTrailers', 'writeHead', 'writeHeader'],
  ...['flushHeaders', 'write', 'end', 'destroy', 'cork', 'uncork', ...INFORMATIONAL],
].filter((name) => name in METHODS);

/** What our answer goes through. */
const OF_THE_ANSWER = new Set([
  ...['removeHeader', 'setHeader', 'writeHead', 'end', 'headersSent', 'statusCode', 'statusMessage'],
]);

/**
 * Holds a response between a renderer and its client.
 *
 * From the moment this is made, the response is the renderer's: what it sets, sends and listens to is kept apart,
 * with a state, events and errors of its own. {@link restore} gives the response back as it was before, so that
 * our answer goes through whatever was mounted before us and around whatever was mounted after us. {@link seal}
 * then lets a renderer that is late do whatever it likes to no effect.
 */
export class Capture {
  /** Settles when the renderer sends its headers; never fails. */
  readonly head: Promise<ReplyHead>;
  readonly body: ReplyStream;
  readonly #stage: Stage;
  /** The renderer's own listeners, once the response is no longer the renderer's. */
  #listenersOfRenderer: Audience | undefined;

  /**
   * @param onAbort Called when the renderer breaks its reply off, with its error if it has one.
   */
  constructor(req: IncomingMessage, res: ServerResponse, onAbort: (error: Error | null) => void) {
    const head = headLike(req, res);
    const settleHead = (): void => {
      // By the response, so that whoever has wrapped its writeHead since is asked too.
      if (!head.headersSent) res.writeHead(res.statusCode);
    };
    const body = (this.body = new ReplyStream(settleHead, onAbort));
    body.emit = this.#emitToBoth(body);
    // Much of what reads files for a response listens to the connection for the client's leaving.
    const isDown = (): boolean => body.closed && !body.writableFinished;
    const connection = standIn(req.socket, isDown, () => {
      const line = new Line((error) => {
        body.destroy(error);
      });
      const follow = (): void => {
        if (isDown()) line.destroy();
      };
      follow();
      body.once('close', follow);
      return line;
    });

    let headSent: (head: ReplyHead) => void;
    this.head = new Promise((resolve) => {
      headSent = resolve;
    });
    const sendHead = (...given: Parameters<ServerResponse['writeHead']>): void => {
      head.writeHead(...given);
      headSent(readHead(head));
    };

    // Looked at before anything is changed: the answer needs the response as it was.
    const before = ownOf(res);
    for (const name of before.keys()) if (REMOVED.has(name)) Reflect.deleteProperty(res, name);
    // Those who listened before must not hear what the renderer makes the response say.
    const listenersBefore = new Audience(res);
    this.#stage = { res, head, body, connection, sendHead, settleHead, listenersBefore, before };
    // In this order, and the methods by assignment: the fastest way to add so many.
    Object.defineProperties(res, STATES);
    Object.defineProperty(res, STAGE, { value: this.#stage, configurable: true });
    for (const name in METHODS) put(res, name);
    showConnection(req, connection);
  }

  /**
   * Gives the response back as it was before the renderer had it, with its state, its listeners and its connection.
   *
   * @throws Error Somebody after us has fixed a property that the answer needs.
   */
  restore(): void {
    if (this.#listenersOfRenderer !== undefined) return;
    const { res, before, listenersBefore } = this.#stage;
    // Whatever the renderer's stream still has to say reaches those who listened to it.
    this.#listenersOfRenderer = new Audience(res);
    listenersBefore.comeBack();
    const kept: string[] = [];
    for (const name of CHANGED) {
      const own = before.get(name);
      const given =
        own === undefined ? Reflect.deleteProperty(res, name) : Reflect.defineProperty(res, name, own);
      if (!given && OF_THE_ANSWER.has(name)) kept.push(name);
    }
    if (kept.length > 0) {
      throw new Error(
        `A middleware after imageSave has made "${kept.join('", "')}" of the response unchangeable`,
      );
    }
  }

  /**
   * To be called when our answer has been handed to the response: from here on, changes to it are taken by what
   * the renderer had before, which has ended, and do nothing.
   */
  seal(): void {
    const { res, before } = this.#stage;
    for (const name of CHANGES) {
      if (before.has(name)) Reflect.deleteProperty(res, name);
      put(res, name);
    }
    closeForLatecomers(res);
  }

  #emitToBoth(body: ReplyStream): (event: string | symbol, ...given: unknown[]) => boolean {
    return (event, ...given) => {
      const heard = emit(body, event, given);
      if (event === 'error') return heard;
      const listeners = this.#listenersOfRenderer;
      return (listeners?.hear(event, given) ?? emit(this.#stage.res, event, given)) || heard;
    };
  }
}

/** What a response must have none of its own of before it gets ours, or those of its prototype. */
const REMOVED = new Set([...Object.keys(METHODS), ...DERIVED, ...EMITTER_METHODS]);

/** Every property of a response that is changed while it is held. */
const CHANGED = new Set([...Object.keys(STATES), ...SETTINGS, ...REMOVED]);

/** Puts the renderer's method in the place of a response's own, unless somebody has made that unchangeable. */
function put(res: ServerResponse, name: string): void {
  try {
    (res as unknown as Record<string, unknown>)[name] = METHODS[name];
  } catch {
    // It stays as it is.
  }
}

/** What a response has of its own of what is going to be changed. */
function ownOf(res: ServerResponse): Map<string, PropertyDescriptor> {
  const own = new Map<string, PropertyDescriptor>();
  for (const name of Object.getOwnPropertyNames(res)) {
    const descriptor = CHANGED.has(name) ? Object.getOwnPropertyDescriptor(res, name) : undefined;
    if (descriptor === undefined) continue;
    if ((name in STATES || name in METHODS) && descriptor.configurable === false) {
      throw new Error(`A middleware before imageSave has made "${name}" of the response unchangeable`);
    }
    own.set(name, descriptor);
  }
  return own;
}

/** A response without a connection, with the headers that were set before us: Node's rules, nobody's listeners. */
function headLike(req: IncomingMessage, res: ServerResponse): ServerResponse {
  const head = new ServerResponse(req);
  const before = Object.entries(res.getHeaders());
  for (const [name, value] of before) if (value !== undefined) head.setHeader(name, value);
  if (before.length === 0) {
    // Once a header has been set, Node keeps those given to writeHead where they can be read.
    head.setHeader('ETag', NO_ETAG);
    head.removeHeader('ETag');
  }
  head.statusCode = res.statusCode;
  head.statusMessage = res.statusMessage;
  head.sendDate = res.sendDate;
  return head;
}

function readHead(head: ServerResponse): ReplyHead {
  const contentLength = head.getHeader('Content-Length');
  const contentEncoding = head.getHeader('Content-Encoding');
  return {
    status: head.statusCode,
    contentLength: contentLength === undefined ? undefined : String(contentLength),
    contentEncoding: contentEncoding === undefined ? '' : String(contentEncoding),
  };
}

/** Methods that do to the head or the body what is done to the response, and answer as the response. */
function methodsOf(part: 'head' | 'body', names: readonly string[]): Record<string, Method> {
  const ofThisNode = names.filter((name) => part === 'body' || name in ServerResponse.prototype);
  return Object.fromEntries(
    ofThisNode.map((name) => [
      name,
      function (...given: unknown[]) {
        const { res, [part]: target } = this[STAGE];
        const own = Reflect.get(target, name) as (...given: unknown[]) => unknown;
        const result = Reflect.apply(own, target, given);
        return result === target ? res : result;
      } satisfies Method,
    ]),
  );
}

/** Properties that are those of the head or the body. */
function statesOf(part: 'head' | 'body', names: readonly string[]): Face {
  return properties<HeldResponse>(
    names,
    (res, name) => Reflect.get(res[STAGE][part], name) as unknown,
    (res, name, value) => {
      Reflect.set(res[STAGE][part], name, value);
    },
  );
}

function callBack(...given: unknown[]): void {
  const callback = given.at(-1);
  if (typeof callback === 'function') process.nextTick(callback);
}
