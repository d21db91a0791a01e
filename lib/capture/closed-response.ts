// The response once it carries our answer: who comes late finds it as if the client had left.
import type { ServerResponse } from 'node:http';
import { defineAccessors, type AccessorMap } from './property-overrides.js';
import { ListenerSet } from './listener-set.js';

/** What is remembered of a response that has been closed. */
interface ClosedState {
  /** How many events of Node's own are being told right now. */
  emitDepth: number;
  readonly outerListeners: ListenerSet;
  readonly originalEmit: (...args: unknown[]) => boolean;
  /** What Node keeps in properties of its own, and sets. */
  readonly ownState: Record<string, unknown>;
}

const kClosed = Symbol('what is remembered of a response that has been closed');

interface ClosedResponse extends ServerResponse {
  [kClosed]: ClosedState;
}

/** What Node makes a response say; all else is said by those who use it, as `pipe` is. */
const EVENTS_OF_NODE = new Set<string | symbol>([
  'finish',
  'close',
  'prefinish',
  'drain',
  'error',
  'timeout',
  'socket',
]);

/** What our answer has said stays what everybody reads. */
const REPLY_STATUS = ['statusCode', 'statusMessage'];
/** Kept by Node in properties of the response itself. */
const OWN_STATE = ['destroyed', '_closed'];
/** Told by Node's prototype. */
const PROTOTYPE_GETTERS = ['writableEnded', 'writableFinished', 'closed'];

const CLOSED_OVERRIDES: AccessorMap = {
  ...defineAccessors<ClosedResponse>(REPLY_STATUS, (res, name) => res[kClosed].ownState[name]),
  ...defineAccessors<ClosedResponse>(
    OWN_STATE,
    (res, name) => res[kClosed].emitDepth > 0 && res[kClosed].ownState[name],
    (res, name, value) => {
      res[kClosed].ownState[name] = value;
    },
  ),
  ...defineAccessors<ClosedResponse>(
    PROTOTYPE_GETTERS,
    (res, name) => res[kClosed].emitDepth > 0 && Reflect.get(Object.getPrototypeOf(res) as object, name, res),
  ),
  emit: {
    configurable: true,
    writable: true,
    value(this: ClosedResponse, event: string | symbol, ...args: unknown[]): boolean {
      const closed = this[kClosed];
      if (!EVENTS_OF_NODE.has(event)) return closed.originalEmit(event, ...args);
      closed.emitDepth++;
      try {
        return closed.outerListeners.emit(event, args, closed.originalEmit);
      } finally {
        closed.emitDepth--;
      }
    },
  },
};

/**
 * Lets a pipeline that is only now begun end as one into a response whose client has left. Node's streams would see
 * that the response has finished and wait for the source for ever, or, once it has closed, throw.
 *
 * So a listener for `close` that comes from now on is told at once, of a response that did not finish. Those who
 * listened before are called by the response's own events, and while these last everybody sees what is true.
 */
export function presentAsClosed(res: ServerResponse): void {
  const value: ClosedState = {
    emitDepth: 0,
    originalEmit: res.emit.bind(res) as (...args: unknown[]) => boolean,
    ownState: Object.fromEntries(
      [...REPLY_STATUS, ...OWN_STATE].map((name) => [name, Reflect.get(res, name)]),
    ),
    outerListeners: new ListenerSet(res),
  };
  Reflect.defineProperty(res, kClosed, { value });
  for (const [name, descriptor] of Object.entries(CLOSED_OVERRIDES))
    Reflect.defineProperty(res, name, descriptor);
  res.on('newListener', emitCloseToLateListener);
}

function emitCloseToLateListener(this: ServerResponse, event: string | symbol, listener: () => void): void {
  if (event !== 'close') return;
  process.nextTick(() => {
    if (!this.listeners('close').includes(listener)) return;
    this.removeListener('close', listener);
    listener.call(this);
  });
}
