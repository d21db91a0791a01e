// Between publishing and the reply: the image's public URL and the operator's onPublished. Neither can undo the save.
import { waitAtMost } from '../abort.js';
import type { Exchange } from './exchange.js';
import type { Settings } from './options.js';

/** How long `onPublished` may take, however little is left of the deadline. */
const MIN_HOOK_MS = 1000;

/** @throws Also whatever the operator's function throws. */
export function createPublicUrl(
  publicUrl: NonNullable<Settings['publicUrl']>,
  name: string,
  exchange: Pick<Exchange, 'callHook'>,
): string {
  if (typeof publicUrl === 'string') return publicUrl + name.split('/').map(encodeURIComponent).join('/');
  const url = exchange.callHook(publicUrl, name);
  if (typeof url === 'string') return url;
  // An async function is a mistake. Where it also rejects, that must not end the process.
  Promise.resolve(url).catch(() => undefined);
  throw new TypeError('publicUrl of imageSave must return a string, and at once');
}

/**
 * Waits for `onPublished`, for the rest of the deadline (milliseconds) but for a second at least.
 *
 * @throws Whatever it throws, or an error that it has not settled.
 */
export async function waitForHook(call: () => unknown, left: number): Promise<void> {
  const limit = Math.max(MIN_HOOK_MS, Math.round(left));
  const succeed = async (): Promise<true> => {
    await call();
    return true;
  };
  if ((await waitAtMost(limit, succeed())) === undefined)
    throw new Error(`onPublished of imageSave has not settled within ${limit} ms`);
}

/** The errors after publishing as one; undefined if there is none. Anything may have been thrown, also undefined. */
export function joinWarnings(thrown: readonly unknown[]): unknown {
  const errors = thrown.map((error) => error ?? new Error(`A function of imageSave threw ${String(error)}`));
  if (errors.length < 2) return errors[0];
  return new AggregateError(errors, 'Several things failed after the image was published');
}
