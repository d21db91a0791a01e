// The method of a request: GET for the renderer, the client's own method for earlier middleware.
import type { IncomingMessage, ServerResponse } from 'node:http';

/**
 * Gives `req.method` two values. An earlier logger such as morgan reads it after the reply and must find the client's
 * method. A renderer that is late by then must still find GET.
 *
 * A property cannot distinguish its readers. So it has the client's method while the reply is sent, while Node emits
 * the response's events, and while `onSave` is called. It keeps that method once the renderer has ended its response.
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
  showDuring<Result>(call: () => Result): Result {
    this.#show();
    try {
      return call();
    } finally {
      this.#hide();
    }
  }

  /** Shows it to the response's listeners for the end of the reply. */
  showDuringEndOf(res: ServerResponse): void {
    // A GET needs no second value.
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
