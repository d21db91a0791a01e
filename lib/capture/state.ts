// The record of one captured response, which its overrides find by `kCapture`.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { ResponseHead } from '../save/exchange.js';
import { CapturedBody, type BodyOwner } from './captured-body.js';
import { connectionOf } from './connection.js';
import { copyHeaders, createRenderedHead, readHead, type HeaderValues } from './rendered-head.js';
import { setIfPossible } from './rewrite-request.js';
import { emitOn, ListenerSet } from './listener-set.js';
import { createSocketProxy, type SocketProxy } from './socket-proxy.js';

/** Own property descriptors by name. A missing name means: inherited. */
export type OwnProperties = ReadonlyMap<string, PropertyDescriptor>;

export type Emit = (event: string | symbol, ...args: unknown[]) => boolean;

/** The key of the state of a {@link Captured} message. */
export const kCapture = Symbol('capture');

/**
 * `server.close()` destroys connections whose `_httpMessage` is `finished`. A captured response is finished as soon as
 * the renderer ends it, while its image is still being saved. All other properties are those of the response.
 */
const SERVER_VIEW: ProxyHandler<ServerResponse> = {
  get: (res, name) => (name === 'finished' ? false : (Reflect.get(res, name) as unknown)),
};

/** A response, or a request whose response has the reply. */
export type Captured<Message> = Message & { readonly [kCapture]: CaptureState };

export class CaptureState implements BodyOwner {
  /** Of the client's request. For the renderer it is GET. */
  readonly clientMethod: string | undefined;
  /** The client's connection; undefined or null in some hosts without a network, whatever Node's types say. */
  readonly socket: Socket;
  /** The connection that the renderer sees. */
  readonly socketProxy: SocketProxy;
  /** The headers of `res` from before the capture. */
  readonly headers: HeaderValues;
  /** The renderer's status and headers, in a response without a connection. */
  readonly renderedHead: ServerResponse;
  /** Resolves when the renderer sends its head. Never rejects. */
  readonly head: Promise<ResponseHead>;
  readonly resolveHead: () => void;
  readonly body: CapturedBody;
  /** The response that Node's server sees. */
  readonly serverView: ServerResponse;
  /** The listeners that `res` has not: those from before; once restored, the renderer's; once replied, those from before. */
  readonly otherListeners: ListenerSet;
  /** The own properties of `res` that its overrides replace. */
  original: OwnProperties = new Map();
  isRestored = false;
  /**
   * Set when the response has the reply: `emit` of the response and of the request, which earlier middleware may have
   * wrapped, and how many events of each are being emitted now.
   */
  reply?: { readonly emit: Emit; readonly emitOnRequest: Emit; responseDepth: number; requestDepth: number };

  /** @param onAbort Called when the renderer destroys its response, with its error if there is one. */
  constructor(
    readonly req: IncomingMessage,
    readonly res: ServerResponse,
    readonly onAbort: (error: Error | null) => void,
  ) {
    this.clientMethod = req.method;
    this.socket = req.socket;
    this.headers = copyHeaders(res);
    const renderedHead = (this.renderedHead = createRenderedHead(req, res, this.headers));
    let resolveHead!: () => void;
    this.head = new Promise((resolve) => {
      // Through `this`, a save would take a tenth more CPU time.
      resolveHead = () => {
        resolve(readHead(renderedHead));
      };
    });
    this.resolveHead = resolveHead;
    this.body = new CapturedBody(this);
    this.socketProxy = createSocketProxy(connectionOf(req), this.body);
    this.serverView = new Proxy(res, SERVER_VIEW);
    this.otherListeners = new ListenerSet(res);
  }

  /** Sends the rendered head as Node does before the first byte of a body. */
  sendImplicitHead(): void {
    // Through the response, because later middleware may have wrapped `writeHead`.
    if (!this.renderedHead.headersSent) this.res.writeHead(this.res.statusCode);
  }

  /** Emits an event of the body on the response, to the renderer's listeners. */
  emitFromBody(event: string | symbol, args: unknown[]): boolean {
    // Through the response, because later middleware may have wrapped `emit` (cls-hooked does).
    if (!this.isRestored) return this.res.emit(event as string, ...args);
    const emit = (): boolean => emitOn(this.res, event, args);
    return this.reply === undefined ? this.otherListeners.attachWhile(emit) : emit();
  }

  /** Whether `res` shows the reply: while Node sends it, and during Node's events. Otherwise it shows the rendered response. */
  get showsReply(): boolean {
    const { reply } = this;
    return reply !== undefined && (reply.responseDepth > 0 || this.readOriginal('finished') !== true);
  }

  /** Runs code of Node's while `res` shows the reply, if there is one, and `req` the client's method. */
  asReply<Result>(run: () => Result): Result {
    if (this.reply === undefined) return run();
    this.reply.responseDepth++;
    try {
      return this.asClient(run);
    } finally {
      this.reply.responseDepth--;
    }
  }

  /** Runs a function with the client's method on `req`, and restores the one before if the renderer has not ended. */
  asClient<Result>(run: () => Result): Result {
    const { req, body, clientMethod } = this;
    const { method } = req;
    setIfPossible(req, 'method', clientMethod);
    try {
      return run();
    } finally {
      if (!body.writableEnded) setIfPossible(req, 'method', method);
    }
  }

  /** Reads the property that an override replaces. */
  readOriginal(name: string): unknown {
    const own = this.original.get(name);
    if (own === undefined) return Reflect.get(Object.getPrototypeOf(this.res) as object, name, this.res);
    return own.get === undefined ? own.value : (own.get.call(this.res) as unknown);
  }

  /** Sets the property that an override replaces. */
  writeOriginal(name: string, value: unknown): void {
    const own = this.original.get(name);
    if (own === undefined) Reflect.set(Object.getPrototypeOf(this.res) as object, name, value, this.res);
    else own.value = value;
  }
}
