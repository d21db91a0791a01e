// The Fetch handler: starts a save for each save command, and hands every other request on.
import { whenAborted } from '../abort.js';
import { rewriteStoredQuery, STRIPPED_HEADERS } from '../capture/rewrite-request.js';
import { SaveError } from '../errors.js';
import { hasSaveCommand, parseCommand } from '../protocol/parse-command.js';
import { createReply } from '../protocol/reply.js';
import type { Exchange } from '../save/exchange.js';
import { checkOptions, type ImageSaveOptions } from '../save/options.js';
import type { Rule } from '../validate-options.js';
import { attachSave } from './save-of.js';
import { Saver, type SaveControls } from './saver.js';
import { fromResponse, type Source } from './source.js';

/** A handler of the Fetch API, with what its host hands on besides the request. */
export type FetchHandler<Client extends Request, More extends readonly unknown[]> = (
  request: Client,
  ...more: More
) => Response | Promise<Response>;

export interface FetchImageSaveOptions<Client extends Request = Request> extends ImageSaveOptions<Client> {
  /** The path below which commands are obeyed, and to which `$object$` is relative. Default `/`. */
  mount?: string | undefined;
}

export interface ImageSaveHandler<Client extends Request, More extends readonly unknown[]>
  extends FetchHandler<Client, More>, SaveControls<Client> {}

const EXAMPLE = "imageSave(handler, { savePath: './saved' })";

const MOUNT: Rule = {
  expected: "a path that starts with /, as in '/is/image'",
  isValid: (value) => typeof value === 'string' && /^\/[^?#]*$/.test(value),
};

/**
 * Wraps a handler so that it obeys `req=saveToFile`: the image of its `Response` is saved, and the client gets the
 * result. All other requests, and their responses, pass through untouched.
 *
 * @throws TypeError An option is unknown or wrong, or there is no handler.
 * @example
 * serve({ fetch: imageSave(app.fetch, { savePath: './saved', mount: '/is/image' }) });
 */
export function imageSave<Client extends Request = Request, More extends readonly unknown[] = []>(
  handler: FetchHandler<Client, More>,
  options: FetchImageSaveOptions<Client> = {},
): ImageSaveHandler<Client, More> {
  if (typeof handler !== 'function') {
    throw new TypeError(
      `imageSave of 'express-image-save/fetch' wraps a handler, as in ${EXAMPLE}; of an app, app.fetch`,
    );
  }
  const saver = new Saver(checkOptions('imageSave', EXAMPLE, options, { mount: MOUNT }));
  const prefix = new URL(`http://localhost${options.mount ?? '/'}`).pathname.replace(/\/+$/, '');

  function imageSaveHandler(this: unknown, request: Client, ...more: More): Response | Promise<Response> {
    refuseOtherHosts(request);
    const render = (changed: Client): Response | Promise<Response> => handler.call(this, changed, ...more);
    const [url = ''] = request.url.split('#', 1);
    const target = hasSaveCommand(url) ? readTarget(url, prefix) : undefined;
    if (target === undefined) return render(request);
    return new Promise((resolve) => {
      saver.start(createExchange(request, target, render, resolve));
    });
  }

  return saver.control(imageSaveHandler);
}

/** @throws TypeError The host hands on something else, as most frameworks do. */
function refuseOtherHosts(request: { url?: unknown; headers?: { get?: unknown } } | undefined): void {
  if (typeof request?.url === 'string' && typeof request.headers?.get === 'function') return;
  throw new TypeError(
    "This handler of imageSave must be called with a Request: save(c.req.raw) in Hono, save(event.req) in h3, ({ request }) => save(request) in SvelteKit, Astro and React Router. Where Node's own request and response come, imageSave of 'express-image-save' makes the middleware. See docs/hosts.md",
  );
}

/** The URL of a request in two parts: up to the mount, and below it. */
interface Target {
  readonly base: string;
  readonly path: string;
}

/** @returns Undefined for a URL that is not below the mount. */
function readTarget(url: string, prefix: string): Target | undefined {
  const [origin = ''] = /^[a-z][a-z\d+.-]*:\/\/[^/?]*/i.exec(url) ?? [];
  const base = origin + prefix;
  const path = url.slice(base.length);
  return url.startsWith(base) && /^(?:[/?]|$)/.test(path) ? { base, path } : undefined;
}

function createExchange<Client extends Request>(
  request: Client,
  { base, path }: Target,
  callHandler: (request: Client) => Response | Promise<Response>,
  sendReply: (response: Response) => void,
): Exchange {
  let rendererUrl = '';
  let source: Source | undefined;
  let isReadingEnded = false;
  return {
    arrival: performance.now(),
    request,
    sentBy: { method: request.method, site: request.headers.get('sec-fetch-site') },
    begin: (abort) =>
      whenAborted(request.signal, () => {
        abort(new SaveError('client-disconnected'));
      }),
    readCommand() {
      const command = parseCommand(path);
      rendererUrl = base + command.rendererUrl;
      return command;
    },
    async render(save) {
      const changed = rewriteForRenderer(request, base + path, rendererUrl, save.signal);
      attachSave(changed, save);
      let response: unknown;
      try {
        response = await callHandler(changed);
      } catch (cause) {
        throw new SaveError('renderer-failed', {}, cause);
      }
      source = fromResponse(response);
      // The save may have ended meanwhile.
      if (isReadingEnded) source.endReading();
      return source.rendered;
    },
    endReading() {
      isReadingEnded = true;
      source?.endReading();
    },
    callHook: (hook, first) => hook(first, request),
    reply(outcome) {
      const { status, headers, text } = createReply(outcome);
      sendReply(new Response(text, { status, headers }));
    },
  };
}

/** The request for the renderer: a GET of the whole image, without the command. */
function rewriteForRenderer<Client extends Request>(
  request: Client,
  oldUrl: string,
  url: string,
  signal: AbortSignal,
): Client {
  const headers = new Headers(request.headers);
  for (const name of [...headers.keys()]) if (STRIPPED_HEADERS.test(name)) headers.delete(name);
  // Those of a body that a GET has not.
  for (const name of ['content-length', 'transfer-encoding']) headers.delete(name);
  const made = createLike(request, url, { method: 'GET', headers, signal });
  // What other code has set on it, such as a user.
  for (const [name, value] of Object.entries(request)) if (!(name in made)) Reflect.set(made, name, value);
  rewriteStoredQuery(made, oldUrl);
  return made as Client;
}

/** A request of the same class, where its constructor takes what that of `Request` takes. */
function createLike(request: Request, url: string, init: RequestInit): Request {
  try {
    const made: unknown = Reflect.construct(request.constructor, [url, init]);
    if (made instanceof Request && made.method === 'GET') return made;
  } catch {
    // Another constructor.
  }
  return new Request(url, init);
}
