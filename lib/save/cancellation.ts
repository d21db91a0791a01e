// The deadline and the client's disconnect → one AbortSignal, with the reason as a SaveError.
import type { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { SaveError } from '../errors.js';

/**
 * Says when a save has lost its purpose: its time is up, its client has gone, or it has failed. The clock runs
 * from the moment this is made until {@link disarm} or {@link fail}, whichever comes first.
 */
export class Cancellation {
  /** Rejects when the save has lost its purpose, with the reason of {@link signal}; unheard, it warns nobody. */
  readonly aborted: Promise<never>;
  readonly #controller = new AbortController();
  #reject: (reason: SaveError) => void = () => undefined;
  readonly #socket: Socket;
  #timer: NodeJS.Timeout | undefined;
  #armed = true;
  readonly #onDisconnected: () => void;

  constructor(socket: Socket, onDisconnect: () => void) {
    this.aborted = new Promise((_, reject) => {
      this.#reject = reject;
    });
    this.aborted.catch(() => undefined);
    this.#socket = socket;
    this.#onDisconnected = onDisconnect;
    watch(socket, this.#onClose);
    if (socket.destroyed) this.#onClose();
  }

  /** Aborts once, with the {@link SaveError} that came first as its reason; never after {@link disarm}. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Sets the deadline, so many milliseconds after `since`, a reading of `performance.now()`. */
  startTimer(timeout: number, since: number): void {
    if (!this.#armed) return;
    this.#timer = setTimeout(
      () => {
        this.abort(
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
  abort(error: SaveError): void {
    if (!this.#armed) return;
    this.disarm();
    this.#reject(error);
    this.#controller.abort(error);
  }

  /** Throws where the save has lost its purpose; else nothing ends it any more. */
  commit(): void {
    this.signal.throwIfAborted();
    this.disarm();
  }

  /** From here on nothing ends the save any more: it has ended, or only its rename is left. */
  disarm(): void {
    this.#armed = false;
    clearTimeout(this.#timer);
  }

  /** To be called when the client's leaving concerns nobody here any more. */
  dispose(): void {
    this.disarm();
    unwatch(this.#socket, this.#onClose);
  }

  readonly #onClose = (): void => {
    this.#onDisconnected();
    this.abort(new SaveError('client-disconnected', 'The client left before the image was published.'));
  };
}

// One listener serves all the saves that are pipelined on a connection, so that their number warns nobody. It
// stands before the server's own, which tells the response: by then the response must be its own again.
const watchers = new WeakMap<Socket, Set<() => void>>();

function watch(socket: Socket, onDisconnect: () => void): void {
  let callbacks = watchers.get(socket);
  if (callbacks === undefined) {
    const all = (callbacks = new Set());
    watchers.set(socket, all);
    // Hosts without a network connection (serverless, mocks) may give a request a plain object.
    const emitter: Partial<Pick<EventEmitter, 'prependOnceListener'>> = socket;
    emitter.prependOnceListener?.('close', () => {
      for (const tell of [...all]) tell();
    });
  }
  callbacks.add(onDisconnect);
}

function unwatch(socket: Socket, onDisconnect: () => void): void {
  watchers.get(socket)?.delete(onDisconnect);
}
