// The deadline and the client's disconnect → one AbortSignal, with the reason as a SaveError.
import type { Socket } from 'node:net';
import { SaveError } from './errors.js';

/**
 * Says when a save has lost its purpose: its time is up, its client has gone, or it has failed. The clock runs
 * from the moment this is made until {@link disarm} or {@link fail}, whichever comes first.
 */
export class Deadline {
  /** Rejects when the save has lost its purpose, with the reason of {@link signal}; unheard, it warns nobody. */
  readonly failed: Promise<never>;
  readonly #controller = new AbortController();
  #reject: (reason: SaveError) => void = () => undefined;
  readonly #socket: Socket;
  #timer: NodeJS.Timeout | undefined;
  #armed = true;
  readonly #tellGone: () => void;

  constructor(socket: Socket, onGone: () => void) {
    this.failed = new Promise((_, reject) => {
      this.#reject = reject;
    });
    this.failed.catch(() => undefined);
    this.#socket = socket;
    this.#tellGone = onGone;
    watch(socket, this.#onGone);
    if (socket.destroyed) this.#onGone();
  }

  /** Aborts once, with the {@link SaveError} that came first as its reason; never after {@link disarm}. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Sets the deadline, so many milliseconds after `since`, a reading of `performance.now()`. */
  start(timeout: number, since: number): void {
    if (!this.#armed) return;
    this.#timer = setTimeout(
      () => {
        this.fail(
          new SaveError(
            'timeout',
            `The image was not saved within ${timeout} ms. Try again, or allow more with timeout=.`,
          ),
        );
      },
      Math.max(1, timeout - (performance.now() - since)),
    );
  }

  /** Ends the save for this reason. */
  fail(error: SaveError): void {
    if (!this.#armed) return;
    this.disarm();
    this.#reject(error);
    this.#controller.abort(error);
  }

  /** Throws where the save has lost its purpose; else nothing ends it any more. */
  lastLook(): void {
    this.signal.throwIfAborted();
    this.disarm();
  }

  /** From here on nothing ends the save any more: it has ended, or only its rename is left. */
  disarm(): void {
    this.#armed = false;
    clearTimeout(this.#timer);
  }

  /** To be called when the client's leaving concerns nobody here any more. */
  stop(): void {
    this.disarm();
    unwatch(this.#socket, this.#onGone);
  }

  readonly #onGone = (): void => {
    this.#tellGone();
    this.fail(new SaveError('client-gone', 'The client left before the image was published.'));
  };
}

// One listener serves all the saves that are pipelined on a connection, so that their number warns nobody. It
// stands before the server's own, which tells the response: by then the response must be its own again.
const watchers = new WeakMap<Socket, Set<() => void>>();

function watch(socket: Socket, onGone: () => void): void {
  let watching = watchers.get(socket);
  if (watching === undefined) {
    const all = (watching = new Set());
    watchers.set(socket, all);
    socket.prependOnceListener('close', () => {
      for (const tell of [...all]) tell();
    });
  }
  watching.add(onGone);
}

function unwatch(socket: Socket, onGone: () => void): void {
  watchers.get(socket)?.delete(onGone);
}
