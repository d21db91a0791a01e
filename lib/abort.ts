// Waits for a signal to abort, or for a promise until then or for a limited time.

/** Calls a function when a signal aborts; at once if it has already. Returns a function that stops waiting. */
export function whenAborted(signal: AbortSignal | undefined, call: () => void): () => void {
  if (signal?.aborted === true) call();
  else signal?.addEventListener('abort', call, { once: true });
  return () => signal?.removeEventListener('abort', call);
}

/** Settles like a promise, or rejects with the signal's reason if that aborts first. */
export async function raceAbort<Value>(signal: AbortSignal, promise: Promise<Value>): Promise<Value> {
  let stop: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = whenAborted(signal, () => {
      reject(signal.reason as Error);
    });
  });
  return Promise.race([aborted, promise]).finally(stop);
}

/** A caller that waits in a queue. The owner of the queue removes it before it settles it. */
export interface Waiter<Value> {
  resolve(value: Value): void;
  reject(reason: Error): void;
}

/**
 * Adds a caller to the end of a queue, at once, and waits. It leaves the queue when a signal aborts first.
 *
 * @param facts What the owner of the queue wants to know of the caller.
 * @throws The reason of the signal, or of the queue's owner.
 */
export function enqueue<Value, Facts extends object>(
  queue: Set<Facts & Waiter<Value>>,
  facts: Facts,
  signal: AbortSignal | undefined,
): Promise<Value> {
  let stop: (() => void) | undefined;
  const settled = new Promise<Value>((resolve, reject) => {
    const waiter: Facts & Waiter<Value> = { ...facts, resolve, reject };
    queue.add(waiter);
    stop = whenAborted(signal, () => {
      queue.delete(waiter);
      reject(signal?.reason as Error);
    });
  });
  return settled.finally(stop);
}

/** Settles like a promise, or resolves to undefined if that has not settled in time. */
export async function waitAtMost<Value>(
  milliseconds: number,
  promise: Promise<Value>,
): Promise<Value | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, milliseconds, undefined);
  });
  return Promise.race([promise, timeout]).finally(() => {
    clearTimeout(timer);
  });
}
