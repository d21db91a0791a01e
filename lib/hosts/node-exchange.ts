// One save of the middleware: captures the response for the renderer, then gives it back for the reply.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { connectionOf, watchConnection } from '../capture/connection.js';
import { captureResponse, closeResponse, restoreResponse } from '../capture/response-capture.js';
import { rewriteForRenderer } from '../capture/rewrite-request.js';
import type { CaptureState } from '../capture/state.js';
import { SaveError, describeError } from '../errors.js';
import { parseCommand, type SaveCommand } from '../protocol/parse-command.js';
import { createReply, type SaveOutcome } from '../protocol/reply.js';
import type { Exchange, RenderedImage, Save, SentBy } from '../save/exchange.js';
import { attachSave } from './save-of.js';
import { sendReply } from './send-reply.js';

/** Passes a request on: to the renderer, or with an error to the host's error handlers. */
export type Next = (error?: unknown) => unknown;

/** A command that came with Node's own request and response. */
export class NodeExchange implements Exchange {
  readonly arrival = performance.now();
  readonly request: IncomingMessage;
  readonly sentBy: SentBy;
  readonly #res: ServerResponse;
  readonly #next: Next;
  /** With the command, also while the renderer sees another. */
  readonly #url: string;
  #rendererUrl = '';
  /** The client's own connection, also while the renderer sees another. */
  readonly #socket: Socket;
  #capture: CaptureState | undefined;
  #abort: (error: SaveError) => void = () => undefined;
  #stopWatching: (() => void) | undefined;

  constructor(req: IncomingMessage, res: ServerResponse, next: Next) {
    this.request = req;
    const headers = req.headers as IncomingMessage['headers'] | undefined;
    this.sentBy = { method: req.method, site: headers?.['sec-fetch-site'] };
    this.#res = res;
    this.#next = next;
    this.#url = req.url ?? '';
    this.#socket = connectionOf(req);
  }

  begin(abort: (error: SaveError) => void): void {
    this.#abort = abort;
    const onClose = (): void => {
      // Node is about to emit `close` on the response, to the listeners from before the capture.
      try {
        if (this.#capture !== undefined) restoreResponse(this.#capture);
      } catch {
        // Without a client there is no reply, so a failed restore does no harm.
      }
      abort(new SaveError('client-disconnected'));
    };
    this.#stopWatching = watchConnection(this.#socket, onClose);
    if (this.#socket.destroyed) onClose();
  }

  readCommand(): SaveCommand {
    const command = parseCommand(this.#url);
    this.#rendererUrl = command.rendererUrl;
    return command;
  }

  /** The renderer sees a GET without the command. */
  async render(save: Save): Promise<RenderedImage> {
    const res = this.#res;
    if (res.headersSent) throw new Error('A middleware before imageSave has sent a reply to the command');
    const capture = (this.#capture = captureResponse(this.request, res, (cause) => {
      this.#abort(new SaveError('renderer-aborted', {}, cause ?? undefined));
    }));
    rewriteForRenderer(this.request, this.#rendererUrl);
    attachSave(res, save);
    // Express handles its renderers' errors itself. Those of other hosts, thrown now or later, end only this save.
    new Promise((resolve) => {
      resolve(this.#next());
    }).catch((cause: unknown) => {
      this.#abort(new SaveError('renderer-failed', {}, cause));
    });
    return { ...(await capture.head), body: capture.body };
  }

  release(): Promise<void> | undefined {
    return this.#capture?.body.release();
  }

  callHook<First>(hook: (first: First, request: unknown) => unknown, first: First): unknown {
    const call = (): unknown => hook(first, this.request);
    return this.#capture === undefined ? call() : this.#capture.asClient(call);
  }

  reply(outcome: SaveOutcome): void {
    const capture = this.#capture;
    try {
      this.#stopWatching?.();
      if (capture !== undefined) restoreResponse(capture);
      // Without a client, the response ends as it would without this middleware.
      if (outcome.status === 'failed' && outcome.error.code === 'client-disconnected') return;
      sendReply(this.#res, createReply(outcome));
      if (capture !== undefined) closeResponse(capture);
    } catch (error) {
      process.emitWarning(`imageSave could not reply: ${describeError(error)}`);
      // A connection that ends tells the client more than silence. Hosts without a network have only the response.
      if ('destroy' in this.#socket) this.#socket.destroy();
      else this.#res.destroy();
    }
  }
}
