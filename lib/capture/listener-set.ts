// Keeps the listeners added before and after the capture apart.
import { EventEmitter } from 'node:events';

/** The methods by which listeners are added, removed and called. */
export const EMITTER_METHODS = Object.getOwnPropertyNames(EventEmitter.prototype).filter(
  (name) => name !== 'constructor' && typeof Reflect.get(EventEmitter.prototype, name) === 'function',
);

/** Calls the listeners that an emitter has now, past its own `emit`. */
export function emitOn(emitter: object, event: string | symbol, args: readonly unknown[]): boolean {
  return EventEmitter.prototype.emit.call(emitter as EventEmitter, event, ...args);
}

/** Listeners that their emitter has not at the moment: none at first. */
export class ListenerSet {
  readonly #emitter: Listeners;
  // As in a new emitter, whose constructor would also forget its domain and its `captureRejections`.
  #listeners: Listeners = {
    _events: Object.create(null) as object,
    _eventsCount: 0,
    _maxListeners: undefined,
  };

  constructor(emitter: object) {
    this.#emitter = emitter as Listeners;
  }

  /** Exchanges these listeners and the emitter's. */
  swap(): void {
    this.#listeners = swapListeners(this.#emitter, this.#listeners);
  }

  /** Runs a function while the emitter has these listeners, which may add and remove others. */
  attachWhile<Result>(run: () => Result): Result {
    // Not by `swap`: one event may be emitted during another.
    const others = swapListeners(this.#emitter, this.#listeners);
    try {
      return run();
    } finally {
      this.#listeners = swapListeners(this.#emitter, others);
    }
  }

  has(event: string | symbol): boolean {
    return Reflect.has(this.#listeners._events, event);
  }
}

/** The fields in which Node's emitters keep their listeners. */
interface Listeners {
  _events: object;
  _eventsCount: unknown;
  _maxListeners: unknown;
}

/** Replaces the listeners of an emitter and returns those that it had. */
function swapListeners(emitter: Listeners, listeners: Listeners): Listeners {
  const { _events, _eventsCount, _maxListeners } = emitter;
  Object.assign(emitter, listeners);
  return { _events, _eventsCount, _maxListeners };
}
