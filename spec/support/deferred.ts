// What a spec waits for: a promise that it settles itself, and a condition that comes true.
import { setTimeout } from 'node:timers/promises';

export interface Deferred<T = void> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
}

export function createDeferred<T = void>(): Deferred<T> {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

/** Waits for a condition. The test's own timeout ends the wait. */
export async function eventually(condition: () => boolean): Promise<void> {
  while (!condition()) await setTimeout(10);
}
