// Two sets of listeners on one emitter, each with its own events.
import { EventEmitter } from 'node:events';
import { ListenerSet, EMITTER_METHODS } from '../../../lib/capture/listener-set.js';

let emitter: EventEmitter;
let detached: ListenerSet;
let heard: string[];
const hear = (who: string): void => {
  emitter.on('x', (what?: string) => heard.push(`${who}: ${what ?? 'x'}`));
};
const emitDetached = (what?: string): boolean => detached.attachWhile(() => emitter.emit('x', what));

beforeEach(() => {
  emitter = new EventEmitter();
  detached = new ListenerSet(emitter);
  heard = [];
  hear('first');
});

test('the methods that add, remove and call listeners are known', () => {
  expect(EMITTER_METHODS).toEqual(expect.arrayContaining(['on', 'once', 'off', 'emit', 'prependListener']));
  expect(EMITTER_METHODS).not.toContain('constructor');
});

test('events of detached listeners do not reach attached ones', () => {
  emitter.setMaxListeners(77);
  detached.swap();
  expect([emitter.eventNames(), detached.has('x'), detached.has('y')]).toEqual([[], true, false]);
  hear('second');
  expect(emitDetached('one')).toBe(true);
  expect(emitter.emit('x', 'two')).toBe(true);
  detached.swap();
  emitter.emit('x', 'three');
  expect(heard).toEqual(['first: one', 'second: two', 'first: three']);
  expect(emitter.getMaxListeners()).toBe(77);
});

test('detached listeners may add and remove listeners, also in an event during another', () => {
  emitter.once('x', () => {
    hear('added');
    emitDetached('inner');
  });
  detached.swap();
  emitDetached('outer');
  expect(emitter.listenerCount('x')).toBe(0);
  heard = [];
  emitDetached();
  expect(heard).toEqual(['first: x', 'added: x']);
});

test('a detached listener that throws is detached again', () => {
  emitter.on('x', () => {
    throw new Error('no');
  });
  detached.swap();
  expect(() => emitDetached()).toThrow('no');
  expect(emitter.listenerCount('x')).toBe(0);
});

test('the emitter’s other fields stay, as its domain', () => {
  const other = Object.assign(new EventEmitter({ captureRejections: true }), { domain: 'mine' });
  const fields = (): unknown[] =>
    Reflect.ownKeys(other)
      .filter((key) => !/^_(?:events|eventsCount|maxListeners)$/.test(String(key)))
      .map((key) => [key, Reflect.get(other, key) as unknown]);
  const before = fields();
  new ListenerSet(other).swap();
  expect(fields()).toEqual(before);
  expect(before.length).toBeGreaterThan(1);
});
