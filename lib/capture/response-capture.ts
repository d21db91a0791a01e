// Redirects everything that the renderer does to `res` into memory, until `restore()`. Built this way because:
// - Express sets the prototype of `res` again when the renderer is another app. Own properties survive that.
// - Earlier middleware has wrapped this `res`, and Node's server waits for its `finish`. So the reply uses it too.
// - Only Node has its rules for headers. So a second response, without a connection, stores the renderer's head.
// - Node's own `finish` listener would end the request with the renderer's body. So listeners are swapped.
// - Node's server reads `socket._httpMessage.finished` as renderers read `res.finished`. So it gets a view of its own.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { CapturedBody } from './captured-body.js';
import { ClosedResponse } from './closed-response.js';
import { copyHeaders, createDetachedResponse, readHead, restoreHeaders } from './detached-response.js';
import type { HeaderValues, ResponseHead } from './detached-response.js';
import { emitOn, ListenerSet } from './listener-set.js';
import { kCapture } from './property-overrides.js';
import { overrideWhileCaptured, restoreProperties } from './response-properties.js';
import type { OwnProperties } from './response-properties.js';
import { createServerView, discardUnreadBody, replaceMessage } from './server-view.js';
import { createSocketProxy, setRequestSocket } from './socket-proxy.js';

export type { ResponseHead } from './detached-response.js';

/**
 * Separates a response from its client while the renderer uses it, in three phases.
 *
 * - `captured`: the response is the renderer's, with a state, events and errors of its own.
 * - `restored`: the response is as it was before. The reply passes through earlier middleware and bypasses later
 *   middleware.
 * - `closed`: the response has the reply. It ignores changes, and looks as if the client had disconnected.
 */
export class ResponseCapture {
  /** Resolves when the renderer sends its head. Never rejects. */
  readonly head: Promise<ResponseHead>;
  readonly body: CapturedBody;

  // The rest of the public members is for the overrides in this folder.
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  /** The client's connection. */
  readonly socket: Socket;
  /** The connection that the renderer sees. */
  readonly socketProxy: Socket;
  /** The renderer's status and headers. */
  readonly detachedResponse: ServerResponse;
  /** The response that Node's server sees. */
  readonly serverView: ServerResponse;
  /** The listeners from before the capture. */
  readonly outerListeners: ListenerSet;
  /** The own properties of `res` that its overrides replace. */
  original: OwnProperties;
  /** Whether a method of Node's own may have changed headers of `res`, past its overrides. */
  headersMayDiffer = false;
  /** The state of the closed phase. */
  closed: ClosedResponse | undefined;

  readonly #headers: HeaderValues;
  readonly #closeSocketProxy: () => void;
  #phase: 'captured' | 'restored' | 'closed' = 'captured';
  #resolveHead!: (head: ResponseHead) => void;
  /** The renderer's listeners, after the captured phase. */
  #rendererListeners: ListenerSet | undefined;

  /**
   * @param onAbort Called when the renderer destroys its response, with its error if there is one.
   * @throws Error Earlier middleware has made a property of the response read-only.
   */
  constructor(req: IncomingMessage, res: ServerResponse, onAbort: (error: Error | null) => void) {
    this.req = req;
    this.res = res;
    this.socket = req.socket;
    this.#headers = copyHeaders(res);
    this.detachedResponse = createDetachedResponse(req, res, this.#headers);
    this.head = new Promise((resolve) => (this.#resolveHead = resolve));
    this.body = new CapturedBody(this.sendImplicitHead, onAbort, this.#mirror);
    const { proxy, close } = createSocketProxy(req.socket, this.body);
    this.socketProxy = proxy;
    this.#closeSocketProxy = close;
    this.serverView = createServerView(res);
    this.original = overrideWhileCaptured(res);
    this.outerListeners = new ListenerSet(res);
    Object.defineProperty(res, kCapture, { value: this });
    setRequestSocket(req, this.socketProxy);
    replaceMessage(this.readOriginal('socket'), res, this.serverView);
  }

  /**
   * Restores the response as it was before the capture: state, headers, listeners and connection.
   *
   * @throws Error Later middleware has made a property read-only that the reply needs.
   */
  restore(): void {
    if (this.#phase !== 'captured') return;
    this.#phase = 'restored';
    const { res, socket } = this;
    // The body may still emit events for these.
    this.#rendererListeners = new ListenerSet(res);
    this.outerListeners.reattach();
    replaceMessage(this.readOriginal('socket'), this.serverView, res);
    setRequestSocket(this.req, socket);
    restoreProperties(res, this.original);
    if (this.headersMayDiffer) restoreHeaders(res, this.#headers);
    if (discardUnreadBody(this.req)) res.shouldKeepAlive = false;
  }

  /** Closes the response to late changes. Call this when the response has the whole reply. */
  ignoreLateWrites(): void {
    this.#phase = 'closed';
    this.closed = new ClosedResponse(this);
    this.#closeSocketProxy();
  }

  sendHead(args: Parameters<ServerResponse['writeHead']>): void {
    const headers: unknown = args.at(-1);
    // Node takes pairs only where no header was set before, and the detached response always had one.
    const isPairs = Array.isArray(headers) && Array.isArray(headers[0]);
    const flat = isPairs ? [...args.slice(0, -1), headers.flat()] : args;
    this.detachedResponse.writeHead(...(flat as typeof args));
    this.#resolveHead(readHead(this.detachedResponse));
  }

  /** Sends the head as Node does before the first byte of a body. */
  readonly sendImplicitHead = (): void => {
    // Through the response, because later middleware may have wrapped `writeHead`.
    if (!this.detachedResponse.headersSent) this.res.writeHead(this.res.statusCode);
  };

  /** Emits the events of the body on the response. */
  readonly #mirror = (event: string | symbol, args: unknown[]): boolean =>
    this.#rendererListeners?.emit(event, args) ?? emitOn(this.res, event, args);

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
