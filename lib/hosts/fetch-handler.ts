// The Fetch handler: starts a save for each save command, and hands every other request on.
import { whenAborted } from '../abort.js';
import { STRIPPED_HEADERS } from '../capture/rewrite-request.js';
import { SaveError } from '../errors.js';
import { checkOptions, type ImageSaveOptions } from '../options.js';
import { hasSaveCommand, parseCommand, type SaveCommand } from '../protocol/parse-command.js';
import { createReply, type SaveOutcome } from '../protocol/reply.js';
import type { Exchange, RenderedImage, Save, SentBy } from '../save/exchange.js';
import type { Rule } from '../validate-options.js';
import { attachSave } from './save-of.js';
import { Saver, type SaveControls } from './saver.js';
import { fromResponse, type Source } from './source.js';

/** A handler of the Fetch API, with what its host hands on besides the request. */
export type FetchHandler<Client extends Request, More extends readonly unknown[]> = (
  request: Client,
  ...more: More
) => Response | Promise<Response>;

/** The options of the Fetch API's `imageSave`. */
export interface FetchImageSaveOptions<Client extends Request = Request> extends ImageSaveOptions<Client> {
  /** The path below which commands are obeyed, and to which `$object$` is relative. Default `/`. */
  mount?: string | undefined;
}

/** A handler that obeys save commands. */
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
      saver.start(new FetchExchange(request, target, { render, resolve }));
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

interface FetchCall<Client> {
  render(request: Client): Response | Promise<Response>;
  resolve(response: Response): void;
}

class FetchExchange<Client extends Request> implements Exchange {
  readonly arrival = performance.now();
  readonly request: Client;
  readonly sentBy: SentBy;
  readonly #target: Target;
  readonly #call: FetchCall<Client>;
  #rendererPath = '';
  #stopWatching: (() => void) | undefined;
  #source: Source | undefined;
  #released = false;

  constructor(request: Client, target: Target, call: FetchCall<Client>) {
    this.request = request;
    this.sentBy = { method: request.method, site: request.headers.get('sec-fetch-site') };
    this.#target = target;
    this.#call = call;
  }

  begin(abort: (error: SaveError) => void): void {
    this.#stopWatching = whenAborted(this.request.signal, () => {
      abort(new SaveError('client-disconnected'));
    });
  }

  readCommand(): SaveCommand {
    const command = parseCommand(this.#target.path);
    this.#rendererPath = command.rendererUrl;
    return command;
  }

  async render(save: Save): Promise<RenderedImage> {
    const request = this.#createRequest(save.signal);
    attachSave(request, save);
    let response: unknown;
    try {
      response = await this.#call.render(request);
    } catch (cause) {
      throw new SaveError('renderer-failed', {}, cause);
    }
    this.#source = fromResponse(response);
    // The save may have ended meanwhile.
    if (this.#released) this.#source.release();
    return this.#source.rendered;
  }

  /** A GET without the command. */
  #createRequest(signal: AbortSignal): Client {
    const { request } = this;
    const url = this.#target.base + this.#rendererPath;
    const headers = new Headers(request.headers);
    for (const name of [...headers.keys()]) if (STRIPPED_HEADERS.test(name)) headers.delete(name);
    // Those of a body that a GET has not.
    for (const name of ['content-length', 'transfer-encoding']) headers.delete(name);
    const made = createLike(request, url, { method: 'GET', headers, signal });
    // What other code has set on it, such as a user.
    for (const [name, value] of Object.entries(request)) if (!(name in made)) Reflect.set(made, name, value);
    return made as Client;
  }

  release(): void {
    this.#released = true;
    this.#source?.release();
  }

  callHook<First>(hook: (first: First, request: unknown) => unknown, first: First): unknown {
    return hook(first, this.request);
  }

  reply(outcome: SaveOutcome): void {
    this.#stopWatching?.();
    const { status, headers, text } = createReply(outcome);
    this.#call.resolve(new Response(text, { status, headers }));
  }
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
