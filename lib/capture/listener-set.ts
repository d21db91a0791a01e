// The listeners of an emitter, taken off it and put back: one response, heard by two parties that must not hear each other.
import { EventEmitter } from 'node:events';

/** Everything by which listeners are added, removed and told. */
export const EMITTER_METHODS = Object.getOwnPropertyNames(EventEmitter.prototype).filter(
  (name) => name !== 'constructor' && typeof Reflect.get(EventEmitter.prototype, name) === 'function',
);

/** Tells the listeners that an emitter has now. */
export function emitOn(emitter: object, event: string | symbol, args: readonly unknown[]): boolean {
  return EventEmitter.prototype.emit.call(emitter as EventEmitter, event, ...args);
}

/** Some of the listeners of an emitter, which hear only what they are told. */
export class ListenerSet {
  readonly #emitter: Listeners;
  #listeners: Listeners;

  /** Takes all listeners off an emitter. */
  constructor(emitter: object) {
    this.#emitter = emitter as Listeners;
    this.#listeners = swapListeners(this.#emitter, undefined);
  }

  /** Tells them of an event. While it lasts, they are the emitter's listeners: they may add and remove some. */
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

  /** Makes them the emitter's listeners again, instead of those that it has now. */
  reattach(): void {
    swapListeners(this.#emitter, this.#listeners);
  }
}

/** Where Node's emitters keep their listeners. */
interface Listeners {
  _events: unknown;
  _eventsCount: unknown;
  _maxListeners: unknown;
}

/** Replaces the listeners of an emitter, by none unless some are given, and returns those that it had. */
function swapListeners(emitter: Listeners, listeners: Listeners | undefined): Listeners {
  const { _events, _eventsCount, _maxListeners } = emitter;
  if (listeners === undefined) {
    emitter._events = undefined;
    emitter._maxListeners = undefined;
    // Makes new ones where there are none.
    Reflect.apply(EventEmitter, emitter, []);
  } else {
    Object.assign(emitter, listeners);
  }
  return { _events, _eventsCount, _maxListeners };
}
