// Waits for a signal to abort, or for a promise until then or for a limited time.

/**
 * Calls a function when a signal aborts; at once if it has already.
 *
 * @returns Stops waiting.
 */
export function whenAborted(signal: AbortSignal | undefined, call: () => void): () => void {
  if (signal?.aborted === true) call();
  else signal?.addEventListener('abort', call);
  return () => signal?.removeEventListener('abort', call);
}

/**
 * Settles like a promise, or rejects with the signal's reason if that aborts first.
 *
 * @param onAbort Called when the signal aborts first, to give up what the promise stands for.
 */
export async function raceAbort<Value>(
  signal: AbortSignal,
  promise: Promise<Value>,
  onAbort?: () => void,
): Promise<Value> {
  let stop: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = whenAborted(signal, () => {
      onAbort?.();
      reject(signal.reason as Error);
    });
  });
  try {
    return await Promise.race([aborted, promise]);
  } finally {
    stop?.();
  }
}

/** A caller that waits in a list. The owner of the list removes it before it settles it. */
export interface Waiter<Value> {
  resolve(value: Value): void;
  reject(reason: Error): void;
}

/**
 * Adds a caller to the end of a list, at once, and waits. It leaves the list when a signal aborts first.
 *
 * @param facts What the owner of the list wants to know of the caller.
 * @throws The reason of the signal, or of the list's owner.
 */
export function waitIn<Value, Facts extends object>(
  list: Set<Facts & Waiter<Value>>,
  facts: Facts,
  signal: AbortSignal | undefined,
): Promise<Value> {
  return new Promise((resolve, reject) => {
    const settle =
      <Result>(call: (result: Result) => void) =>
      (result: Result): void => {
        stop();
        call(result);
      };
    const waiter: Facts & Waiter<Value> = { ...facts, resolve: settle(resolve), reject: settle(reject) };
    list.add(waiter);
    const stop = whenAborted(signal, () => {
      list.delete(waiter);
      reject(signal?.reason as Error);
    });
  });
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
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
