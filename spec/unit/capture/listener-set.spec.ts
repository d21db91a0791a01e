// Two sets of listeners on one emitter, each with its own events.
import { EventEmitter } from 'node:events';
import { ListenerSet, EMITTER_METHODS, emitOn } from '../../../lib/capture/listener-set.js';

test('replaces exactly the methods that add, remove and call listeners', () => {
  expect(EMITTER_METHODS).toEqual(expect.arrayContaining(['on', 'once', 'off', 'emit', 'prependListener']));
  expect(EMITTER_METHODS).not.toContain('constructor');
});

describe('a ListenerSet', () => {
  let emitter: EventEmitter;
  let emitted: unknown[];
  const hear = (who: string): void => {
    emitter.on('x', function (this: unknown, ...given: unknown[]) {
      emitted.push([who, this === emitter, ...given]);
    });
  };

  beforeEach(() => {
    emitter = new EventEmitter();
    emitted = [];
    hear('first');
  });

  test('detaches its listeners, and its events do not reach later ones', () => {
    const listenerSet = new ListenerSet(emitter);
    expect(emitter.eventNames()).toEqual([]);
    hear('second');
    expect(listenerSet.emit('x', [1])).toBe(true);
    expect(listenerSet.emit('y', [])).toBe(false);
    expect(emitter.emit('x', 2)).toBe(true);
    expect(emitted).toEqual([
      ['first', true, 1],
      ['second', true, 2],
    ]);
  });

  test('allows listeners to be added and removed during an event', () => {
    emitter.once('x', () => {
      emitted.push('once');
      hear('added');
    });
    const listenerSet = new ListenerSet(emitter);
    listenerSet.emit('x', []);
    expect(emitter.listenerCount('x')).toBe(0);
    emitted = [];
    listenerSet.emit('x', []);
    expect(emitted).toEqual([
      ['first', true],
      ['added', true],
    ]);
  });

  test('restores the listeners even if one of them throws', () => {
    emitter.on('x', () => {
      throw new Error('no');
    });
    const listenerSet = new ListenerSet(emitter);
    expect(() => listenerSet.emit('x', [])).toThrow('no');
    expect(emitter.listenerCount('x')).toBe(0);
  });

  test('replaces the present listeners when it is reattached', () => {
    emitter.setMaxListeners(77);
    const listenerSet = new ListenerSet(emitter);
    hear('second');
    listenerSet.reattach();
    emitOn(emitter, 'x', [3]);
    expect(emitted).toEqual([['first', true, 3]]);
    expect(emitter.getMaxListeners()).toBe(77);
  });

  test('leaves the emitter’s other fields alone, as its domain', () => {
    const set = Object.assign(new EventEmitter({ captureRejections: true }), { domain: 'mine' });
    const fields = (): unknown[] =>
      Reflect.ownKeys(set)
        .filter((key) => !/^_(?:events|eventsCount|maxListeners)$/.test(String(key)))
        .map((key) => [key, Reflect.get(set, key) as unknown]);
    const before = fields();
    new ListenerSet(set);
    expect(fields()).toEqual(before);
    expect(before.length).toBeGreaterThan(1);
  });
});
