// The response, as long as the renderer has it: what is done to it reaches a reply image and not the client.
import { type IncomingMessage, ServerResponse } from 'node:http';
import { Line, showConnection, standIn } from './connection.js';
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

// What the renderer sees of a response, by what answers for it. Everything that is not named here (Express's own
// methods, `req`, `locals`, `app`) is left as it is and works by way of what is.

/** Answered by a second response that has no connection: Node's own rules for headers, kept apart from ours. */
const OF_THE_HEAD = [
  ...['setHeader', 'setHeaders', 'appendHeader', 'removeHeader', 'addTrailers'],
  ...['getHeaders', 'getHeaderNames', 'getRawHeaderNames', 'hasHeader'],
  ...['statusCode', 'statusMessage', 'headersSent', '_header', 'sendDate', 'strictContentLength'],
  ...['shouldKeepAlive', 'chunkedEncoding', 'useChunkedEncodingByDefault'],
];

/** Answered by the stream that takes the body. */
const OF_THE_BODY = [
  ...['write', 'end', 'destroy', 'cork', 'uncork', 'destroyed', 'closed', 'errored', 'writableEnded'],
  ...['writableFinished', 'writableLength', 'writableHighWaterMark', 'writableNeedDrain', 'writableCorked'],
];

/** Swallowed, but for their callbacks: what is sent on the way to the reply is not the reply. */
const INFORMATIONAL = ['writeContinue', 'writeProcessing', 'writeEarlyHints', 'writeInformation'];

/** What a renderer that is late could still do to a response that carries our answer. */
const CHANGES = [
  ...['setHeader', 'setHeaders', 'appendHeader', 'removeHeader', 'addTrailers', 'writeHead', 'writeHeader'],
  ...['flushHeaders', 'write', 'end', 'destroy', 'cork', 'uncork', ...INFORMATIONAL],
];

/** What our answer goes through. */
const OF_THE_ANSWER = new Set([
  ...['removeHeader', 'setHeader', 'writeHead', 'end', 'headersSent', 'statusCode', 'statusMessage'],
]);

/** Spares Express the hash of a body whose ETag nobody gets: it makes one only where it is told of none. */
const NO_ETAG = 'W/"0"';

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
  readonly #res: ServerResponse;
  readonly #before = new Map<string, PropertyDescriptor | undefined>();
  /** What each property of the renderer's face does. */
  readonly #face: PropertyDescriptorMap;
  readonly #listenersBefore: Audience;
  /** The renderer's own listeners, once the response is no longer the renderer's. */
  #listenersOfRenderer: Audience | undefined;

  /**
   * @param onAbort Called when the renderer breaks its reply off, with its error if it has one.
   */
  constructor(req: IncomingMessage, res: ServerResponse, onAbort: (error: Error | null) => void) {
    this.#res = res;
    const head = headLike(req, res);
    const settleHead = (): void => {
      // By the response, so that whoever has wrapped its writeHead since is asked too.
      if (!head.headersSent) res.writeHead(res.statusCode);
    };
    const body = new ReplyStream(settleHead, onAbort);
    body.emit = this.#emitToBoth(body);
    const line = new Line((error) => {
      body.destroy(error);
    });
    body.once('close', () => {
      // Much of what reads files for a response listens to the connection for the client's leaving.
      if (!body.writableFinished) line.destroy();
    });
    this.body = body;

    let headSent: (head: ReplyHead) => void;
    this.head = new Promise((resolve) => {
      headSent = resolve;
    });
    const writeHead = (...given: Parameters<ServerResponse['writeHead']>): ServerResponse => {
      head.writeHead(...given);
      headSent(readHead(head));
      return res;
    };
    const connection = standIn(req.socket, line);

    this.#face = {
      ...Object.fromEntries(
        OF_THE_HEAD.filter((name) => name in head).map((name) => [name, facing(head, name, res)]),
      ),
      ...Object.fromEntries(OF_THE_BODY.map((name) => [name, facing(body, name, res)])),
      ...Object.fromEntries(
        INFORMATIONAL.filter((name) => name in res).map((name) => [name, method(callBack)]),
      ),
      // Told only to who asks for it by name, and not in the lists: a cache must not keep it.
      getHeader: method(
        (name: string) => head.getHeader(name) ?? (/^etag$/i.test(name) ? NO_ETAG : undefined),
      ),
      writeHead: method(writeHead),
      writeHeader: method(writeHead),
      flushHeaders: method(settleHead),
      finished: state(() => body.writableEnded),
      _closed: state(() => body.closed),
      emit: method((event: string | symbol, ...given: unknown[]): boolean => {
        const heard = emit(res, event, given);
        // Node says this of the connection, and hangs up where nobody hears it.
        return event === 'timeout' ? this.#listenersBefore.hear(event, given) || heard : heard;
      }),
      connection: state(() => connection),
      // Node itself gives a pipelined response its connection when its turn comes.
      socket: {
        ...state(() => connection),
        set: (socket: unknown) => {
          // Before Node 22 it is a property of the response, since then one of its prototype.
          const before = this.#before.get('socket');
          if (before === undefined) Reflect.set(Object.getPrototypeOf(res) as object, 'socket', socket, res);
          else before.value = socket;
        },
      },
    };

    for (const name of new Set([...Object.keys(this.#face), ...EMITTER_METHODS])) {
      const descriptor = Object.getOwnPropertyDescriptor(res, name);
      // Looked at before anything is changed: the answer needs the response as it was.
      if (name in this.#face && descriptor?.configurable === false) {
        throw new Error(`A middleware before imageSave has made "${name}" of the response unchangeable`);
      }
      this.#before.set(name, descriptor);
    }
    for (const name of EMITTER_METHODS) Reflect.deleteProperty(res, name);
    // Those who listened before must not hear what the renderer makes the response say.
    this.#listenersBefore = new Audience(res);
    Object.defineProperties(res, this.#face);
    showConnection(req, connection);
  }

  /**
   * Gives the response back as it was before the renderer had it, with its state, its listeners and its connection.
   *
   * @throws Error Somebody after us has fixed a property that the answer needs.
   */
  restore(): void {
    if (this.#before.size === 0) return;
    const res = this.#res;
    // Whatever the renderer's stream still has to say reaches those who listened to it.
    this.#listenersOfRenderer = new Audience(res);
    this.#listenersBefore.comeBack();
    const kept: string[] = [];
    for (const [name, descriptor] of this.#before) {
      const given =
        descriptor === undefined
          ? Reflect.deleteProperty(res, name)
          : Reflect.defineProperty(res, name, descriptor);
      if (!given && OF_THE_ANSWER.has(name)) kept.push(name);
    }
    this.#before.clear();
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
    const res = this.#res;
    for (const name of CHANGES) {
      const descriptor = this.#face[name];
      if (descriptor !== undefined) Reflect.defineProperty(res, name, descriptor);
    }
    for (const name of ['statusCode', 'statusMessage'] as const) {
      const value = res[name];
      Reflect.defineProperty(
        res,
        name,
        state(() => value),
      );
    }
    closeForLatecomers(res);
  }

  #emitToBoth(body: ReplyStream): (event: string | symbol, ...given: unknown[]) => boolean {
    return (event, ...given) => {
      const heard = emit(body, event, given);
      if (event === 'error') return heard;
      const listeners = this.#listenersOfRenderer;
      return (listeners?.hear(event, given) ?? emit(this.#res, event, given)) || heard;
    };
  }
}

/**
 * Lets a pipeline that is only now begun end as one into a response whose client has left. Node's streams would see
 * that the response has finished and wait for the source for ever, or, once it has closed, throw.
 *
 * So a listener for `close` that comes after our answer is told at once, of a response that did not finish. Those who
 * listened before are called by the response's own events, and while these last everybody sees what is true.
 */
function closeForLatecomers(res: ServerResponse): void {
  const prototype = Object.getPrototypeOf(res) as object;
  const emitAsBefore = res.emit.bind(res) as (...given: unknown[]) => boolean;
  const listenersBefore = new Audience(res);
  let events = 0;
  const whileAnEventLasts = (read: () => unknown): PropertyDescriptor => state(() => events > 0 && read());
  for (const name of ['writableEnded', 'writableFinished', 'closed']) {
    Reflect.defineProperty(
      res,
      name,
      whileAnEventLasts(() => Reflect.get(prototype, name, res)),
    );
  }
  for (const name of ['destroyed', '_closed']) {
    let value: unknown = Reflect.get(res, name);
    const set = (to: unknown): void => {
      value = to;
    };
    Reflect.defineProperty(res, name, { ...whileAnEventLasts(() => value), set });
  }
  const emitTruly = (event: string | symbol, ...given: unknown[]): boolean => {
    if (!EVENTS_OF_NODE.has(event)) return emitAsBefore(event, ...given);
    events++;
    try {
      return listenersBefore.hear(event, given, emitAsBefore);
    } finally {
      events--;
    }
  };
  Reflect.defineProperty(res, 'emit', method(emitTruly));
  res.on('newListener', (event: string | symbol, listener: () => void) => {
    if (event !== 'close') return;
    process.nextTick(() => {
      if (!res.listeners('close').includes(listener)) return;
      res.removeListener('close', listener);
      listener.call(res);
    });
  });
}

/** What Node makes a response say; all else is said by those who use it, as `pipe` is. */
const EVENTS_OF_NODE = new Set<string | symbol>([
  'finish',
  'close',
  'prefinish',
  'drain',
  'error',
  'timeout',
  'socket',
]);

/** A response without a connection, with the headers that were set before us: Node's rules, nobody's listeners. */
function headLike(req: IncomingMessage, res: ServerResponse): ServerResponse {
  const head = new ServerResponse(req);
  // Once a header has been set, Node keeps those given to writeHead where they can be read.
  head.setHeader('ETag', NO_ETAG);
  head.removeHeader('ETag');
  for (const [name, value] of Object.entries(res.getHeaders())) {
    if (value !== undefined) head.setHeader(name, value);
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

/** A property that does to another object what is done to it, and answers as this one. */
function facing(target: object, name: string, self: object): PropertyDescriptor {
  const own: unknown = Reflect.get(target, name);
  if (typeof own !== 'function') {
    return {
      configurable: true,
      get: (): unknown => Reflect.get(target, name),
      set: (value: unknown) => {
        Reflect.set(target, name, value);
      },
    };
  }
  return method((...given: unknown[]) => {
    const result: unknown = Reflect.apply(own, target, given);
    return result === target ? self : result;
  });
}

function method(value: (...given: never[]) => unknown): PropertyDescriptor {
  return { configurable: true, writable: true, value };
}

/** A property that can be read; setting it does nothing. */
function state(get: () => unknown): PropertyDescriptor {
  return { configurable: true, get, set: () => undefined };
}

function callBack(...given: unknown[]): void {
  const callback = given.at(-1);
  if (typeof callback === 'function') process.nextTick(callback);
}
