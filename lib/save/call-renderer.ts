// Calls the renderer with a captured response, and listens for every way in which it can fail.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { ResponseCapture } from '../capture/response-capture.js';
import { rewriteForRenderer } from '../capture/rewrite-request.js';
import { SaveError, type ErrorDetails, type SaveErrorCode } from '../errors.js';
import type { SaveCommand } from '../protocol/parse-command.js';
import type { Cancellation } from './cancellation.js';
import { attachSave } from './save-context.js';

/** Passes a request on: to the renderer, or with an error to the host's error handlers. */
export type Next = (error?: unknown) => unknown;

/** Captures a response, so that {@link callRenderer} can be called. The renderer sees a GET without the command. */
export function captureResponse(
  req: IncomingMessage,
  res: ServerResponse,
  command: SaveCommand,
  cancellation: Cancellation,
): ResponseCapture {
  if (res.headersSent) throw new Error('A middleware before imageSave has sent a reply to the command');
  const abort = (code: SaveErrorCode, details: ErrorDetails = {}, cause?: unknown): void => {
    cancellation.abort(new SaveError(code, details, cause));
  };
  const capture = new ResponseCapture(req, res, (cause) => {
    abort('renderer-aborted', {}, cause ?? undefined);
  });
  rewriteForRenderer(req, command.rendererUrl);
  attachSave(res, {
    name: command.name,
    signal: cancellation.signal,
    // Renderers without types may pass any value as the reason.
    refuse: (reason?: unknown) => {
      abort('renderer-refused', typeof reason === 'string' ? { reason } : {});
    },
  });
  return capture;
}

/** Calls the renderer. An error that it throws or rejects with, now or later, ends only this save. */
export function callRenderer(next: Next, cancellation: Cancellation): void {
  // Express handles its renderers' errors itself. In other hosts they arrive here.
  new Promise((resolve) => {
    resolve(next());
  }).catch((cause: unknown) => {
    cancellation.abort(new SaveError('renderer-failed', {}, cause));
  });
}
