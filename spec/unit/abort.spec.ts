// Waiting for a promise until a signal aborts.
import { getEventListeners } from 'node:events';
import { raceAbort } from '../../lib/abort.js';

const reason = new Error('too late');
let abort: AbortController;

beforeEach(() => {
  abort = new AbortController();
});
afterEach(() => {
  expect(getEventListeners(abort.signal, 'abort')).toEqual([]);
});

it('settles like the promise, whatever the signal does later', async () => {
  expect(await raceAbort(abort.signal, Promise.resolve(1))).toBe(1);
  await expect(raceAbort(abort.signal, Promise.reject(new Error('EIO')))).rejects.toThrow('EIO');
});

it.each(['before', 'after'])('rejects with the reason of a signal that aborts %s the call', async (when) => {
  if (when === 'before') abort.abort(reason);
  const waiting = raceAbort(abort.signal, new Promise(() => undefined));
  abort.abort(reason);
  await expect(waiting).rejects.toBe(reason);
});
