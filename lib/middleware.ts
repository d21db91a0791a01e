// The middleware: it passes every request on that is no save command, and starts a save for every other.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { toSaveError, type SaveError } from './errors.js';
import { checkOptions, type ImageSaveOptions } from './options.js';
import { mightBeSaveCommand, parseCommand, type SaveCommand } from './protocol/parse-command.js';
import { SaveOperation, type Next } from './save/save-operation.js';
import { folderStore } from './stores/folder/folder-store.js';
import { StaleFileSweeper } from './temp-files/stale-files.js';

/** A middleware for Express and every other host of `(req, res, next)` on Node's own request and response. */
export type ImageSaveMiddleware<Request extends IncomingMessage = IncomingMessage> = (
  req: Request,
  res: ServerResponse,
  next: Next,
) => void;

/**
 * Makes a middleware that obeys `req=saveToFile`: mounted in front of a renderer, it saves what the renderer
 * would have sent and answers with the outcome. All other requests pass through untouched.
 *
 * @throws TypeError An option is unknown or wrong.
 * @example
 * app.use('/is/image', imageSave({ savePath: './saved' }), renderer);
 */
export function imageSave<Request extends IncomingMessage = IncomingMessage>(
  options: ImageSaveOptions<Request> = {},
): ImageSaveMiddleware<Request> {
  const settings = checkOptions(options);
  // A temporary file that is older belongs to no save that still runs.
  const sweeper = new StaleFileSweeper(2 * settings.maxTimeout);
  const store = settings.store ?? folderStore(settings.savePath, sweeper);

  return function imageSaveMiddleware(req, res, next) {
    const url = req.url ?? '';
    if (!mightBeSaveCommand(url)) {
      next();
      return;
    }
    const arrival = performance.now();
    const command = readCommand(url);
    if (command === undefined) {
      next();
    } else if (req.httpVersionMajor >= 2) {
      next(new TypeError('express-image-save works on HTTP/1 requests; serve HTTP/2 by a proxy in front'));
    } else {
      void new SaveOperation({ settings, store, sweeper, req, res, next, arrival, command }).run();
    }
  };
}

function readCommand(url: string): SaveCommand | SaveError | undefined {
  try {
    return parseCommand(url);
  } catch (error) {
    return toSaveError(error);
  }
}
