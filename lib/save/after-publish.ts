// Between publishing and the reply: the image's public URL and the operator's onPublished. Neither can undo the save.
import { waitAtMost } from '../abort.js';
import type { Settings } from '../options.js';
import type { Exchange } from './exchange.js';

/** How long `onPublished` may take, however little is left of the deadline. */
const MIN_HOOK_MS = 1000;

/**
 * The public URL of an image, if the operator wants one, or the error of the operator's function. Never throws, because
 * the image is published and its client waits for the reply.
 */
export function createPublicUrl(
  publicUrl: Settings['publicUrl'],
  name: string,
  exchange: Pick<Exchange, 'callHook'>,
): { readonly url?: string; readonly warning?: unknown } {
  if (publicUrl === undefined) return {};
  try {
    const url =
      typeof publicUrl === 'string'
        ? publicUrl + name.split('/').map(encodeURIComponent).join('/')
        : exchange.callHook(publicUrl, name);
    if (typeof url === 'string') return { url };
    // An async function is a mistake. Where it also rejects, that must not end the process.
    Promise.resolve(url).catch(() => undefined);
    return { warning: new TypeError('publicUrl of imageSave must return a string, and at once') };
  } catch (error) {
    return { warning: asWarning(error) };
  }
}

/**
 * Waits for `onPublished`, for the rest of the deadline (milliseconds) but for a second at least.
 *
 * @returns `{ warning }`, or `{}` on success. Wrapped, because resolving with a thrown thenable would await it.
 */
export async function waitForHook(
  call: () => unknown,
  left: number,
): Promise<{ readonly warning?: unknown }> {
  const limit = Math.max(MIN_HOOK_MS, Math.round(left));
  const succeed = async (): Promise<true> => {
    await call();
    return true;
  };
  try {
    if ((await waitAtMost(limit, succeed())) === true) return {};
    return { warning: new Error(`onPublished of imageSave has not settled within ${limit} ms`) };
  } catch (error) {
    return { warning: asWarning(error) };
  }
}

/** Anything may be thrown, also undefined. */
function asWarning(error: unknown): unknown {
  return error ?? new Error(`A function of imageSave threw ${String(error)}`);
}

/** Joins two errors of which each may be undefined. */
export function joinWarnings(first: unknown, second: unknown): unknown {
  if (first === undefined || second === undefined) return first ?? second;
  return new AggregateError([first, second], 'Two things failed after the image was published');
}
