// One save of the middleware: captures the response for the renderer, then gives it back for the reply.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { connectionOf, watchConnection } from '../capture/connection.js';
import { captureResponse, closeResponse, restoreResponse } from '../capture/response-capture.js';
import { rewriteForRenderer } from '../capture/rewrite-request.js';
import type { CaptureState } from '../capture/state.js';
import { SaveError, describeError } from '../errors.js';
import { parseCommand } from '../protocol/parse-command.js';
import { createReply } from '../protocol/reply.js';
import type { Exchange } from '../save/exchange.js';
import { attachSave } from './save-of.js';
import { sendReply } from './send-reply.js';

/** Passes a request on: to the renderer, or with an error to the host's error handlers. */
export type Next = (error?: unknown) => unknown;

/** A save command that came with Node's own request and response. */
export function createNodeExchange(req: IncomingMessage, res: ServerResponse, next: Next): Exchange {
  // Read now, because the renderer sees another URL and another socket.
  const { url = '' } = req;
  const socket = connectionOf(req);
  const headers = req.headers as IncomingMessage['headers'] | undefined;
  let rendererUrl = '';
  let capture: CaptureState | undefined;
  let abortSave: (error: SaveError) => void;
  let stopWatching: (() => void) | undefined;
  return {
    arrival: performance.now(),
    request: req,
    sentBy: { method: req.method, site: headers?.['sec-fetch-site'] },

    begin(abort) {
      abortSave = abort;
      const onClose = (): void => {
        // Node is about to emit `close` on the response, to the listeners from before the capture.
        try {
          if (capture !== undefined) restoreResponse(capture);
        } catch {
          // Without a client there is no reply, so a failed restore does no harm.
        }
        abort(new SaveError('client-disconnected'));
      };
      stopWatching = watchConnection(socket, onClose);
      if (socket.destroyed) onClose();
    },

    readCommand() {
      const command = parseCommand(url);
      rendererUrl = command.rendererUrl;
      return command;
    },

    /** The renderer sees a GET without the command. */
    async render(save) {
      if (res.headersSent) throw new Error('A middleware before imageSave has sent a reply to the command');
      const { head, body } = (capture = captureResponse(req, res, (cause) => {
        abortSave(new SaveError('renderer-aborted', {}, cause ?? undefined));
      }));
      rewriteForRenderer(req, rendererUrl);
      attachSave(res, save);
      // Express handles its renderers' errors itself. Those of other hosts, thrown now or later, end only this save.
      new Promise((resolve) => {
        resolve(next());
      }).catch((cause: unknown) => {
        abortSave(new SaveError('renderer-failed', {}, cause));
      });
      return { ...(await head), body };
    },

    release: () => capture?.body.release(),

    callHook(hook, first) {
      return capture === undefined ? hook(first, req) : capture.asClient(() => hook(first, req));
    },

    reply(outcome) {
      try {
        stopWatching?.();
        if (capture !== undefined) restoreResponse(capture);
        // Without a client, the response ends as it would without this middleware.
        if (outcome.status === 'failed' && outcome.error.code === 'client-disconnected') return;
        sendReply(res, createReply(outcome));
        if (capture !== undefined) closeResponse(capture);
      } catch (error) {
        process.emitWarning(`imageSave could not reply: ${describeError(error)}`);
        // A connection that ends tells the client more than silence. Hosts without a network have only the response.
        if ('destroy' in socket) socket.destroy();
        else res.destroy();
      }
    },
  };
}
