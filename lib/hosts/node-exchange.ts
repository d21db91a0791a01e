// One save of the middleware: captures the response for the renderer, then gives it back for the reply.
import type { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { connectionOf, holdInactivityTimer } from '../capture/connection.js';
import { ResponseCapture } from '../capture/response-capture.js';
import { rewriteForRenderer } from '../capture/rewrite-request.js';
import { SaveError, describeError } from '../errors.js';
import { parseCommand, type SaveCommand } from '../protocol/parse-command.js';
import { cutConnection, sendReply, type SaveOutcome } from '../protocol/reply.js';
import type { Exchange, RenderedImage, Save, SentBy } from '../save/exchange.js';
import { attachSave } from './save-of.js';

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
  readonly #releaseTimer: () => void;
  #capture: ResponseCapture | undefined;
  #abort: (error: SaveError) => void = () => undefined;

  constructor(req: IncomingMessage, res: ServerResponse, next: Next) {
    this.request = req;
    this.sentBy = { method: req.method, site: req.headers['sec-fetch-site'] };
    this.#res = res;
    this.#next = next;
    this.#url = req.url ?? '';
    this.#socket = connectionOf(req);
    this.#releaseTimer = holdInactivityTimer(this.#socket);
  }

  begin(abort: (error: SaveError) => void): void {
    this.#abort = abort;
    watch(this.#socket, this.#onClose);
    if (this.#socket.destroyed) this.#onClose();
  }

  readonly #onClose = (): void => {
    // Node is about to emit `close` on the response, to the listeners from before the capture.
    try {
      this.#capture?.restore();
    } catch {
      // Without a client there is no reply, so a failed restore does no harm.
    }
    this.#abort(new SaveError('client-disconnected'));
  };

  readCommand(): SaveCommand {
    const command = parseCommand(this.#url);
    this.#rendererUrl = command.rendererUrl;
    return command;
  }

  /** The renderer sees a GET without the command. */
  async render(save: Save): Promise<RenderedImage> {
    const { request: req } = this;
    const res = this.#res;
    if (res.headersSent) throw new Error('A middleware before imageSave has sent a reply to the command');
    const capture = new ResponseCapture(req, res, (cause) => {
      this.#abort(new SaveError('renderer-aborted', {}, cause ?? undefined));
    });
    this.#capture = capture;
    rewriteForRenderer(req, this.#rendererUrl);
    attachSave(res, save);
    this.#callRenderer();
    return { ...(await capture.head), body: capture.body };
  }

  /** An error that the renderer throws or rejects with, now or later, ends only this save. */
  #callRenderer(): void {
    // Express handles its renderers' errors itself. In other hosts they arrive here.
    new Promise((resolve) => {
      resolve(this.#next());
    }).catch((cause: unknown) => {
      this.#abort(new SaveError('renderer-failed', {}, cause));
    });
  }

  release(): Promise<void> | undefined {
    return this.#capture?.body.release();
  }

  callHook<First>(hook: (first: First, request: unknown) => unknown, first: First): unknown {
    const call = (): unknown => hook(first, this.request);
    return this.#capture === undefined ? call() : this.#capture.asClient(call);
  }

  reply(outcome: SaveOutcome): void {
    const res = this.#res;
    try {
      unwatch(this.#socket, this.#onClose);
      this.#releaseTimer();
      this.#capture?.restore();
      // Without a client, the response ends as it would without this middleware.
      if (outcome.status === 'failed' && outcome.error.code === 'client-disconnected') return;
      sendReply(res, outcome);
      this.#capture?.ignoreLateWrites();
    } catch (error) {
      process.emitWarning(`imageSave could not reply: ${describeError(error)}`);
      cutConnection(this.#socket, res);
    }
  }
}

// One listener serves all saves that are pipelined on a connection, so that Node warns of no leak. It comes before the
// server's own listener, which emits `close` on the response: by then the response must be restored.
const watchers = new WeakMap<Socket, Set<() => void>>();

function watch(socket: Socket, onClose: () => void): void {
  let callbacks = watchers.get(socket);
  if (callbacks === undefined) {
    const all = (callbacks = new Set());
    watchers.set(socket, all);
    const emitter: Partial<Pick<EventEmitter, 'prependOnceListener'>> = socket;
    emitter.prependOnceListener?.('close', () => {
      for (const callback of [...all]) callback();
    });
  }
  callbacks.add(onClose);
}

function unwatch(socket: Socket, onClose: () => void): void {
  watchers.get(socket)?.delete(onClose);
}
