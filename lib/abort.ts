// Waits for a signal to abort, or for a promise until then.

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
