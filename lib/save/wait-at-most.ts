// Waiting for a promise with a time limit.

/**
 * Waits for a promise for a limited time.
 *
 * @returns Its value, or undefined if it has not settled in time. Rejects if it rejects in time.
 */
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
