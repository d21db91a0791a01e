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

/** Listeners that are detached from their emitter. Only {@link emit} calls them. */
export class ListenerSet {
  readonly #emitter: Listeners;
  #listeners: Listeners;

  /** Detaches all listeners from an emitter. */
  constructor(emitter: object) {
    this.#emitter = emitter as Listeners;
    this.#listeners = swapListeners(this.#emitter, noListeners());
  }

  /** Emits an event to these listeners. They are attached during the event, so they may add and remove listeners. */
  emit(
    event: string | symbol,
    args: readonly unknown[],
    emitFn = (...all: [string | symbol, ...unknown[]]): boolean =>
      emitOn(this.#emitter, all[0], all.slice(1)),
  ): boolean {
    const others = swapListeners(this.#emitter, this.#listeners);
    try {
      return emitFn(event, ...args);
    } finally {
      this.#listeners = swapListeners(this.#emitter, others);
    }
  }

  /** Whether there is a listener for an event. */
  has(event: string | symbol): boolean {
    return Reflect.has(this.#listeners._events ?? {}, event);
  }

  /** Attaches these listeners to the emitter again, in place of its current ones. */
  reattach(): void {
    swapListeners(this.#emitter, this.#listeners);
  }
}

/** The fields in which Node's emitters keep their listeners. */
interface Listeners {
  _events: unknown;
  _eventsCount: unknown;
  _maxListeners: unknown;
}

/** Replaces the listeners of an emitter and returns those that it had. */
function swapListeners(emitter: Listeners, listeners: Listeners): Listeners {
  const { _events, _eventsCount, _maxListeners } = emitter;
  Object.assign(emitter, listeners);
  return { _events, _eventsCount, _maxListeners };
}

/** As in a new emitter. Its constructor would also forget its domain and its `captureRejections`. */
function noListeners(): Listeners {
  return { _events: Object.create(null), _eventsCount: 0, _maxListeners: undefined };
}
