// The middleware: starts a save for each save command, and passes every other request on. A save captures the response for
// the renderer, then gives it back for the reply.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { breakOff, connectionOf, watchConnection } from '../capture/connection.js';
import { captureResponse, protectReply, restoreResponse } from '../capture/response-capture.js';
import { rewriteForRenderer } from '../capture/rewrite-request.js';
import type { CaptureState } from '../capture/state.js';
import { SaveError, describeError } from '../errors.js';
import { hasSaveCommand, parseCommand } from '../protocol/parse-command.js';
import { createReply } from '../protocol/reply.js';
import type { Exchange } from '../save/exchange.js';
import { checkOptions, type ImageSaveOptions } from '../save/options.js';
import { attachSave } from './save-of.js';
import { Saver, type SaveControls } from './saver.js';
import { sendReply } from './send-reply.js';

/** Passes a request on: to the renderer, or with an error to the host's error handlers. */
export type Next = (error?: unknown) => unknown;

/** A middleware for Express and every other host of `(req, res, next)` on Node's own request and response. */
export interface ImageSaveMiddleware<
  HostRequest extends IncomingMessage = IncomingMessage,
> extends SaveControls<HostRequest> {
  (req: HostRequest, res: ServerResponse, next: Next): void;
}

const EXAMPLE = "imageSave({ savePath: './saved' })";

/**
 * Makes a middleware that obeys `req=saveToFile`: it saves the image that the renderer behind it sends, and replies with
 * the result. All other requests pass through untouched.
 *
 * @throws TypeError An option is unknown or wrong.
 * @example
 * app.use('/is/image', imageSave({ savePath: './saved' }), renderer);
 */
export function imageSave<HostRequest extends IncomingMessage = IncomingMessage>(
  options: ImageSaveOptions<HostRequest> = {},
): ImageSaveMiddleware<HostRequest> {
  // A host that mounts `imageSave` without calling it calls it with a request.
  if (Object(options) === options && 'method' in options && 'headers' in options) {
    throw new TypeError(
      `imageSave makes the middleware and must be called: app.use(${EXAMPLE}), not app.use(imageSave)`,
    );
  }
  const saver = new Saver(checkOptions('imageSave', EXAMPLE, options));

  function imageSaveMiddleware(req: HostRequest, res: ServerResponse, next: Next): void {
    refuseOtherHosts(res, next);
    if (!hasSaveCommand(req.url ?? '')) {
      next();
    } else if (req.httpVersionMajor >= 2) {
      next(new TypeError('express-image-save works on HTTP/1 requests; serve HTTP/2 by a proxy in front'));
    } else {
      saver.start(createExchange(req, res, next));
    }
  }

  return saver.control(imageSaveMiddleware);
}

/** @throws TypeError The host calls its middleware in another way, as Hono, Koa, h3 and the hooks of Fastify do. */
function refuseOtherHosts(res: Partial<ServerResponse> | undefined, next: unknown): void {
  if (typeof next === 'function' && typeof res?.writeHead === 'function') return;
  throw new TypeError(
    "This middleware of imageSave must be called with Node's own request and response, and next. " +
      'A handler of the Fetch API (Hono, h3, Nitro, Next, Astro) is wrapped instead: ' +
      "imageSave(handler, options) of 'express-image-save/fetch'. Fastify mounts the middleware by @fastify/middie; " +
      'in Koa, it is called before app.callback(). See docs/hosts.md',
  );
}

/** A save command that came with Node's own request and response. */
export function createExchange(req: IncomingMessage, res: ServerResponse, next: Next): Exchange {
  // Read now, because the renderer sees another URL and another socket.
  const { url = '' } = req;
  const socket = connectionOf(req);
  const headers = req.headers as IncomingMessage['headers'] | undefined;
  let rendererUrl = '';
  let capture: CaptureState | undefined;
  let abortSave: (error: SaveError) => void;
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
      if (socket.destroyed) onClose();
      return watchConnection(socket, onClose);
    },

    readCommand() {
      const command = parseCommand(url);
      rendererUrl = command.rendererUrl;
      return command;
    },

    /** The renderer sees a GET without the command. */
    async render(save) {
      if (res.headersSent) throw new Error('A middleware before imageSave has sent a reply to the command');
      // An encoding that earlier middleware has announced may be its own to apply, which the capture goes past.
      const mayBeDecoded = res.hasHeader('Content-Encoding');
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
      return { ...(await head), body, mayBeDecoded };
    },

    endReading: () => capture?.body.endReading(),

    callHook(hook, first) {
      return capture === undefined ? hook(first, req) : capture.asClient(() => hook(first, req));
    },

    reply(outcome) {
      try {
        if (capture !== undefined) restoreResponse(capture);
        // Without a client, the response ends as it would without this middleware.
        if (outcome.status === 'failed' && outcome.error.code === 'client-disconnected') return;
        sendReply(res, createReply(outcome));
        if (capture !== undefined) protectReply(capture);
      } catch (error) {
        process.emitWarning(`imageSave could not reply: ${describeError(error)}`);
        breakOff(socket, res, error);
      }
    },
  };
}
