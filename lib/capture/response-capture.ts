// Redirects everything that the renderer does to `res` into memory, until `restore()`. Built this way because:
// - Express sets the prototype of `res` again when the renderer is another app. Own properties survive that.
// - Earlier middleware has wrapped this `res`, and Node's server waits for its `finish`. So the reply uses it too.
// - Only Node has its rules for headers. So a response without a connection stores the rendered head.
// - Node's own `finish` listener would end the request with the renderer's body. So listeners are swapped.
// - Node's server reads `socket._httpMessage.finished` as renderers read `res.finished`. So it gets a view of its own.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { CapturedBody } from './captured-body.js';
import { closeResponse } from './close.js';
import { connectionOf, createServerView, discardUnreadBody, replaceMessage } from './connection.js';
import { emitOn, ListenerSet } from './listener-set.js';
import { overrideWhileCaptured, restoreProperties, sendImplicitHead } from './overrides.js';
import { copyHeaders, createRenderedHead, readHead, restoreHeaders } from './rendered-head.js';
import type { HeaderValues, ResponseHead } from './rendered-head.js';
import { createSocketProxy } from './socket-proxy.js';
import { asClient, kCapture, readOriginal, type CaptureState } from './state.js';

export type { ResponseHead } from './rendered-head.js';

/**
 * Separates a response from its client while the renderer uses it, in three phases.
 *
 * - captured: the response is the renderer's, with a state, events and errors of its own.
 * - restored: the response is as it was before. The reply passes through earlier middleware and bypasses later
 *   middleware.
 * - closed: the response has the reply. To late code it is the rendered response, as if the client had disconnected.
 */
export class ResponseCapture {
  /** Resolves when the renderer sends its head. Never rejects. */
  readonly head: Promise<ResponseHead>;
  readonly body: CapturedBody;

  readonly #state: CaptureState;
  readonly #headers: HeaderValues;
  readonly #closeSocketProxy: () => void;
  #isRestored = false;

  /**
   * @param onAbort Called when the renderer destroys its response, with its error if there is one.
   * @throws Error Earlier middleware has made a property of the response read-only.
   */
  constructor(req: IncomingMessage, res: ServerResponse, onAbort: (error: Error | null) => void) {
    const { socket } = req;
    const headers = (this.#headers = copyHeaders(res));
    const renderedHead = createRenderedHead(req, res, headers);
    let resolveHead!: () => void;
    this.head = new Promise((resolve) => {
      resolveHead = () => {
        resolve(readHead(renderedHead));
      };
    });
    const sendHead = (): void => {
      sendImplicitHead(this.#state);
    };
    const body = (this.body = new CapturedBody(sendHead, onAbort, this.#mirror));
    const { proxy: socketProxy, close } = createSocketProxy(connectionOf(req), body);
    this.#closeSocketProxy = close;
    this.#state = {
      req,
      res,
      clientMethod: req.method,
      socket,
      socketProxy,
      renderedHead,
      body,
      serverView: createServerView(res),
      resolveHead,
      original: overrideWhileCaptured(res),
      outerListeners: new ListenerSet(res),
      headersMayDiffer: false,
    };
    Object.defineProperty(res, kCapture, { value: this.#state });
    req.socket = socketProxy;
    replaceMessage(readOriginal(this.#state, 'socket'), res, this.#state.serverView);
  }

  /**
   * Restores the response as it was before the capture (state, headers, listeners, connection), and the client's method.
   *
   * @throws Error Later middleware has made a property read-only that the reply needs.
   */
  restore(): void {
    if (this.#isRestored) return;
    this.#isRestored = true;
    const { req, res, body, socket, outerListeners, serverView, original, headersMayDiffer } = this.#state;
    // The body may still emit events for these.
    this.#state.rendererListeners = new ListenerSet(res);
    outerListeners.reattach();
    replaceMessage(readOriginal(this.#state, 'socket'), serverView, res);
    req.socket = socket;
    req.method = this.#state.clientMethod;
    // Earlier middleware reads it with the reply, or with Node's `close`. Afterwards a late renderer finds GET again.
    if (!body.writableEnded) process.nextTick(() => (req.method = 'GET'));
    restoreProperties(res, original);
    if (headersMayDiffer) restoreHeaders(res, this.#headers);
    if (discardUnreadBody(req)) res.shouldKeepAlive = false;
  }

  /** Closes the response to late changes. Call this when the response has the whole reply. */
  ignoreLateWrites(): void {
    closeResponse(this.#state);
    this.#closeSocketProxy();
  }

  /** Runs a function that finds the client's own method in `req.method`. */
  asClient<Result>(run: () => Result): Result {
    return asClient(this.#state, run);
  }

  /** Emits the events of the body on the response. */
  readonly #mirror = (event: string | symbol, args: unknown[]): boolean =>
    this.#state.rendererListeners?.emit(event, args) ?? emitOn(this.#state.res, event, args);
}
