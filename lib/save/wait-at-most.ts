// A limit on how long something is waited for.

/**
 * Waits for a promise, but no longer than some milliseconds.
 *
 * @returns Its value, or undefined where it has not settled by then. Rejects where it has rejected by then.
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
