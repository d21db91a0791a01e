// The Fetch handler: starts a save for each save command, and hands every other request on.
import { STRIPPED_HEADERS } from '../capture/rewrite-request.js';
import { SaveError } from '../errors.js';
import { checkOptions, type ImageSaveOptions, type Settings } from '../options.js';
import { hasSaveCommand, parseCommand, type SaveCommand } from '../protocol/parse-command.js';
import { createReply, type SaveOutcome } from '../protocol/reply.js';
import type { Exchange, RenderedImage, Save } from '../save/exchange.js';
import { checkAuthorized, checkRequest } from './check-request.js';
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
    throw new TypeError(`imageSave of 'express-image-save/fetch' wraps a handler, as in ${EXAMPLE}`);
  }
  const { mount = '/', ...others } = options;
  const prefix = checkMount(mount);
  const saver = new Saver(checkOptions('imageSave', EXAMPLE, others));

  function imageSaveHandler(this: unknown, request: Client, ...more: More): Response | Promise<Response> {
    const render = (changed: Client): Response | Promise<Response> => handler.call(this, changed, ...more);
    const target = hasSaveCommand(request.url) ? readTarget(request.url, prefix) : undefined;
    if (target === undefined) return render(request);
    return new Promise((resolve) => {
      saver.start(new FetchExchange(saver.settings, request, target, { render, resolve }));
    });
  }

  return saver.control(imageSaveHandler);
}

function checkMount(mount: unknown): string {
  if (typeof mount === 'string' && /^\/[^?#]*$/.test(mount)) return mount.replace(/\/+$/, '');
  throw new TypeError(
    'The option "mount" of imageSave must be a path that starts with /, as in \'/is/image\'',
  );
}

/** The URL of a request in two parts: up to the mount, and below it. */
interface Target {
  readonly base: string;
  readonly path: string;
}

/** @returns Undefined for a URL that is not below the mount. */
function readTarget(url: string, prefix: string): Target | undefined {
  const [, origin = '', path = ''] = /^([a-z][a-z\d+.-]*:\/\/[^/?#]*)?([^#]*)/i.exec(url) ?? [];
  if (!path.startsWith(prefix) || !/^(?:[/?]|$)/.test(path.slice(prefix.length))) return undefined;
  return { base: origin + prefix, path: path.slice(prefix.length) };
}

interface FetchCall<Client> {
  render(request: Client): Response | Promise<Response>;
  resolve(response: Response): void;
}

class FetchExchange<Client extends Request> implements Exchange {
  readonly arrival = performance.now();
  readonly request: Client;
  readonly #settings: Settings;
  readonly #target: Target;
  readonly #call: FetchCall<Client>;
  #onAbort: (() => void) | undefined;
  #source: Source | undefined;
  #released = false;

  constructor(settings: Settings, request: Client, target: Target, call: FetchCall<Client>) {
    this.#settings = settings;
    this.request = request;
    this.#target = target;
    this.#call = call;
  }

  begin(abort: (error: SaveError) => void): void {
    const { signal } = this.request;
    this.#onAbort = () => {
      abort(new SaveError('client-disconnected'));
    };
    signal.addEventListener('abort', this.#onAbort);
    if (signal.aborted) this.#onAbort();
  }

  readCommand(): SaveCommand {
    return parseCommand(this.#target.path);
  }

  checkRequest(): void {
    const { method, headers } = this.request;
    checkRequest(method, headers.get('sec-fetch-site'), this.#settings);
  }

  authorize(name: string): Promise<void> {
    return checkAuthorized(this.#settings, this.request, name);
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

  /** A GET without the command, of the class of the client's own request where that can be made in the usual way. */
  #createRequest(signal: AbortSignal): Client {
    const { request } = this;
    const url = this.#target.base + this.readCommand().rendererUrl;
    const headers = new Headers(request.headers);
    for (const name of [...headers.keys()]) if (STRIPPED_HEADERS.test(name)) headers.delete(name);
    // Those of a body that a GET has not.
    for (const name of ['content-length', 'transfer-encoding']) headers.delete(name);
    const init = { method: 'GET', headers, signal };
    try {
      const made = Reflect.construct(request.constructor, [url, init]) as Client;
      if (made instanceof Request && made.method === 'GET') return made;
    } catch {
      // A class with another constructor.
    }
    return new Request(url, init) as Client;
  }

  release(): void {
    this.#released = true;
    this.#source?.release();
  }

  callHook<First>(hook: (first: First, request: unknown) => unknown, first: First): unknown {
    return hook(first, this.request);
  }

  reply(outcome: SaveOutcome): void {
    if (this.#onAbort !== undefined) this.request.signal.removeEventListener('abort', this.#onAbort);
    const { status, headers, text } = createReply(outcome);
    this.#call.resolve(new Response(text, { status, headers }));
  }
}
