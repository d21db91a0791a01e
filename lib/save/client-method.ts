// The method of a request: GET for its renderer, the client's own for the middleware that were there before.
import type { IncomingMessage, ServerResponse } from 'node:http';

/**
 * Shows `req.method` to two parties. A logger that was mounted before (morgan, for one) reads it when the reply has gone
 * out, and must find the client's method. A renderer that is late by then must still find GET.
 *
 * A property cannot tell its readers apart. So the client's method is there while the reply is sent, while Node emits
 * the response's events, and while `onSave` is called; it stays once the renderer has ended its response.
 */
export class ClientMethod {
  readonly #req: IncomingMessage;
  readonly #method: string | undefined;
  readonly #isRendererLate: () => boolean;

  /** Create this before the request is rewritten for the renderer. */
  constructor(req: IncomingMessage, isRendererLate: () => boolean) {
    this.#req = req;
    this.#method = req.method;
    this.#isRendererLate = isRendererLate;
  }

  /** Shows the client's method to a function that is called at once. */
  during<Result>(call: () => Result): Result {
    this.#show();
    try {
      return call();
    } finally {
      this.#hide();
    }
  }

  /** Shows it to the listeners that the response has for the end of a reply. */
  duringEndOf(res: ServerResponse): void {
    // GET is the same for both.
    if (this.#method === 'GET') return;
    for (const event of ['finish', 'close']) {
      res.prependListener(event, this.#show);
      res.on(event, this.#hide);
    }
  }

  /** Shows it to everything that Node calls before the next tick. */
  untilNextTick(): void {
    this.#show();
    process.nextTick(this.#hide);
  }

  readonly #show = (): void => {
    if (this.#method !== undefined) this.#req.method = this.#method;
  };

  readonly #hide = (): void => {
    if (this.#isRendererLate()) this.#req.method = 'GET';
  };
}
