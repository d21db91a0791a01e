// Two parties that listen to one emitter and do not hear each other.
import { EventEmitter } from 'node:events';
import { ListenerSet, EMITTER_METHODS, emitOn } from '../../../lib/capture/listener-set.js';

test('the methods are those by which listeners are added, removed and told', () => {
  expect(EMITTER_METHODS).toEqual(expect.arrayContaining(['on', 'once', 'off', 'emit', 'prependListener']));
  expect(EMITTER_METHODS).not.toContain('constructor');
});

describe('an audience', () => {
  let emitter: EventEmitter;
  let heard: unknown[];
  const hear = (who: string): void => {
    emitter.on('x', function (this: unknown, ...given: unknown[]) {
      heard.push([who, this === emitter, ...given]);
    });
  };

  beforeEach(() => {
    emitter = new EventEmitter();
    heard = [];
    hear('first');
  });

  test('takes the listeners with it, and those that come later do not hear it', () => {
    const audience = new ListenerSet(emitter);
    expect(emitter.eventNames()).toEqual([]);
    hear('second');
    expect(audience.emit('x', [1])).toBe(true);
    expect(audience.emit('y', [])).toBe(false);
    expect(emitter.emit('x', 2)).toBe(true);
    expect(heard).toEqual([
      ['first', true, 1],
      ['second', true, 2],
    ]);
  });

  test('may add and remove listeners while it hears', () => {
    emitter.once('x', () => {
      heard.push('once');
      hear('added');
    });
    const audience = new ListenerSet(emitter);
    audience.emit('x', []);
    expect(emitter.listenerCount('x')).toBe(0);
    heard = [];
    audience.emit('x', []);
    expect(heard).toEqual([
      ['first', true],
      ['added', true],
    ]);
  });

  test('is put back also when one of it throws', () => {
    emitter.on('x', () => {
      throw new Error('no');
    });
    const audience = new ListenerSet(emitter);
    expect(() => audience.emit('x', [])).toThrow('no');
    expect(emitter.listenerCount('x')).toBe(0);
  });

  test('comes back in the place of those who are there', () => {
    emitter.setMaxListeners(77);
    const audience = new ListenerSet(emitter);
    hear('second');
    audience.reattach();
    emitOn(emitter, 'x', [3]);
    expect(heard).toEqual([['first', true, 3]]);
    expect(emitter.getMaxListeners()).toBe(77);
  });
});
