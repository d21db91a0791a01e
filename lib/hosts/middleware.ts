// The middleware: starts a save for each save command, and passes every other request on.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { checkOptions, type ImageSaveOptions } from '../save/options.js';
import { hasSaveCommand } from '../protocol/parse-command.js';
import { createNodeExchange, type Next } from './node-exchange.js';
import { Saver, type SaveControls } from './saver.js';

/** A middleware for Express and every other host of `(req, res, next)` on Node's own request and response. */
export interface ImageSaveMiddleware<
  HostRequest extends IncomingMessage = IncomingMessage,
> extends SaveControls<HostRequest> {
  (req: HostRequest, res: ServerResponse, next: Next): void;
}

const EXAMPLE = "imageSave({ savePath: './saved' })";

/**
 * Makes a middleware that obeys `req=saveToFile`: in front of a renderer, it saves the image that the renderer sends, and
 * replies with the result. All other requests pass through untouched.
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
      saver.start(createNodeExchange(req, res, next));
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
