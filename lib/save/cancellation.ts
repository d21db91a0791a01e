// The deadline, the client's disconnect and every failure → one AbortSignal, with a SaveError as its reason.
import type { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { SaveError } from '../errors.js';

/** Ends a save whose deadline has passed, whose client has disconnected, or which has failed. */
export class Cancellation {
  /**
   * Rejects when the reply has to go out without the image: with the reason of {@link signal}, or after {@link commit}
   * with `store-no-response`. It may stay without a handler.
   */
  readonly aborted: Promise<never>;
  readonly #controller = new AbortController();
  #reject: (reason: SaveError) => void = () => undefined;
  readonly #socket: Socket;
  readonly #onDisconnect: () => void;
  #timer: NodeJS.Timeout | undefined;
  /** When the save times out, a reading of `performance.now()`. */
  #deadline = Infinity;
  /** The time limit, for the message. Milliseconds. */
  #timeout = 0;
  #armed = true;
  #disconnected = false;

  /** @param onDisconnect Called when the client disconnects, before Node's own listeners. Must not throw. */
  constructor(socket: Socket, onDisconnect: () => void) {
    this.aborted = new Promise((_, reject) => {
      this.#reject = reject;
    });
    this.aborted.catch(() => undefined);
    this.#socket = socket;
    this.#onDisconnect = onDisconnect;
    watch(socket, this.#onClose);
    if (socket.destroyed) this.#onClose();
  }

  /** Aborts at most once, with the first reason; never after {@link disarm}. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /**
   * Starts the deadline.
   *
   * @param timeout Milliseconds.
   * @param since When the command arrived, a reading of `performance.now()`.
   */
  startTimer(timeout: number, since: number): void {
    this.#timeout = timeout;
    this.#deadline = since + timeout;
    if (this.#armed) this.#watchDeadline();
  }

  #watchDeadline(): void {
    const left = this.#deadline - performance.now();
    if (left <= 0) this.#expire();
    else if (left < Infinity) this.#timer = setTimeout(this.#expire, Math.max(1, left));
  }

  readonly #expire = (): void => {
    this.abort(new SaveError('timeout', { timeout: this.#timeout }));
  };

  /** Ends the save for this reason. */
  abort(error: SaveError): void {
    if (!this.#armed) return;
    this.disarm();
    this.#reject(error);
    this.#controller.abort(error);
  }

  /**
   * The point of no return: from here on nothing ends the save. A second call does no harm.
   *
   * @param patience Milliseconds after which {@link aborted} rejects if the store has not settled. The deadline no
   * longer applies, so a store that never settles would otherwise leave the client without a reply.
   * @throws SaveError The save has ended already.
   */
  commit(patience: number): void {
    // The timer comes late where the event loop was blocked, so the clock is read once more.
    if (performance.now() >= this.#deadline) this.#expire();
    this.signal.throwIfAborted();
    if (!this.#armed) return;
    this.disarm();
    this.#timer = setTimeout(() => {
      this.#reject(new SaveError('store-no-response'));
    }, patience);
  }

  /**
   * Takes {@link commit} back: the deadline and a disconnect end the save again. Where one of them has come since, the
   * save ends now.
   */
  rollback(): void {
    if (this.#armed || this.signal.aborted) return;
    this.disarm();
    this.#armed = true;
    if (this.#disconnected) this.abort(new SaveError('client-disconnected'));
    else this.#watchDeadline();
  }

  /** From here on nothing aborts: the save has ended, or only its publishing is left. */
  disarm(): void {
    this.#armed = false;
    clearTimeout(this.#timer);
  }

  /** Also stops watching the connection. Call this when the reply is sent. */
  dispose(): void {
    this.disarm();
    unwatch(this.#socket, this.#onClose);
  }

  readonly #onClose = (): void => {
    this.#disconnected = true;
    this.#onDisconnect();
    this.abort(new SaveError('client-disconnected'));
  };
}

// One listener serves all saves that are pipelined on a connection, so that Node warns of no leak. It comes before the
// server's own listener, which emits `close` on the response: by then the response must be restored.
const watchers = new WeakMap<Socket, Set<() => void>>();

function watch(socket: Socket, onClose: () => void): void {
  let callbacks = watchers.get(socket);
  if (callbacks === undefined) {
    const all = (callbacks = new Set());
    watchers.set(socket, all);
    // Hosts without a network connection (serverless, mocks) may give a request a plain object.
    const emitter: Partial<Pick<EventEmitter, 'prependOnceListener'>> = socket;
    emitter.prependOnceListener?.('close', () => {
      for (const callback of [...all]) callback();
    });
  }
  callbacks.add(onClose);
}

function unwatch(socket: Socket, onClose: () => void): void {
  watchers.get(socket)?.delete(onClose);
}
