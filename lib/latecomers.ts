// The response once it carries our answer: who comes late finds it as if the client had left.
import type { ServerResponse } from 'node:http';
import { properties, type Face } from './face.js';
import { Audience } from './listeners.js';

/** What is remembered of a response that has been closed. */
interface Closed {
  /** How many events of Node's own are being told right now. */
  events: number;
  readonly listenersBefore: Audience;
  readonly emitAsBefore: (...given: unknown[]) => boolean;
  /** What Node keeps in properties of its own, and sets. */
  readonly states: Record<string, unknown>;
}

const CLOSED = Symbol('what is remembered of a response that has been closed');

interface ClosedResponse extends ServerResponse {
  [CLOSED]: Closed;
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
const OF_THE_ANSWER = ['statusCode', 'statusMessage'];
/** Kept by Node in properties of the response itself. */
const KEPT = ['destroyed', '_closed'];
/** Told by Node's prototype. */
const TOLD = ['writableEnded', 'writableFinished', 'closed'];

const FACE: Face = {
  ...properties<ClosedResponse>(OF_THE_ANSWER, (res, name) => res[CLOSED].states[name]),
  ...properties<ClosedResponse>(
    KEPT,
    (res, name) => res[CLOSED].events > 0 && res[CLOSED].states[name],
    (res, name, value) => {
      res[CLOSED].states[name] = value;
    },
  ),
  ...properties<ClosedResponse>(
    TOLD,
    (res, name) => res[CLOSED].events > 0 && Reflect.get(Object.getPrototypeOf(res) as object, name, res),
  ),
  emit: {
    configurable: true,
    writable: true,
    value(this: ClosedResponse, event: string | symbol, ...given: unknown[]): boolean {
      const closed = this[CLOSED];
      if (!EVENTS_OF_NODE.has(event)) return closed.emitAsBefore(event, ...given);
      closed.events++;
      try {
        return closed.listenersBefore.hear(event, given, closed.emitAsBefore);
      } finally {
        closed.events--;
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
export function closeForLatecomers(res: ServerResponse): void {
  const value: Closed = {
    events: 0,
    emitAsBefore: res.emit.bind(res) as (...given: unknown[]) => boolean,
    states: Object.fromEntries([...OF_THE_ANSWER, ...KEPT].map((name) => [name, Reflect.get(res, name)])),
    listenersBefore: new Audience(res),
  };
  Reflect.defineProperty(res, CLOSED, { value });
  for (const [name, descriptor] of Object.entries(FACE)) Reflect.defineProperty(res, name, descriptor);
  res.on('newListener', tellLatecomer);
}

function tellLatecomer(this: ServerResponse, event: string | symbol, listener: () => void): void {
  if (event !== 'close') return;
  process.nextTick(() => {
    if (!this.listeners('close').includes(listener)) return;
    this.removeListener('close', listener);
    listener.call(this);
  });
}
