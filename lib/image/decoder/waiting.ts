// Callers that wait in a list until its owner settles them or their signal aborts.

/** A caller that waits. The owner removes it from the list before it settles it. */
export interface Waiter<Value> {
  resolve(value: Value): void;
  reject(reason: Error): void;
}

/**
 * Adds a caller to the end of a list, at once, and waits.
 *
 * @param facts What the owner of the list wants to know of the caller.
 * @param signal When it aborts, the caller leaves the list, and the wait rejects with the signal's reason.
 */
export function waitIn<Value, Facts extends object>(
  list: Set<Facts & Waiter<Value>>,
  facts: Facts,
  signal: AbortSignal | undefined,
): Promise<Value> {
  return new Promise((resolve, reject) => {
    const leave = (): void => {
      list.delete(waiter);
      reject(signal?.reason as Error);
    };
    const waiter: Facts & Waiter<Value> = {
      ...facts,
      resolve: (value) => {
        signal?.removeEventListener('abort', leave);
        resolve(value);
      },
      reject: (reason) => {
        signal?.removeEventListener('abort', leave);
        reject(reason);
      },
    };
    list.add(waiter);
    if (signal?.aborted === true) leave();
    else signal?.addEventListener('abort', leave, { once: true });
  });
}
