// Waits for a promise until a signal aborts.

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
  const listening = new AbortController();
  const aborted = new Promise<never>((_, reject) => {
    const abort = (): void => {
      onAbort?.();
      reject(signal.reason as Error);
    };
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { signal: listening.signal });
  });
  try {
    return await Promise.race([aborted, promise]);
  } finally {
    listening.abort();
  }
}
