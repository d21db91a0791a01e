// The checks of a request with a save command, in every host of HTTP.
import { SaveError } from '../errors.js';
import type { Settings } from '../options.js';

/**
 * Checks the method, and keeps a page on another site from saving through its visitors' browsers. (Fetch Metadata, 2.4.)
 *
 * @throws SaveError `method-not-allowed` or `cross-site`.
 */
export function checkRequest(
  method: string | undefined,
  secFetchSite: string | null | undefined,
  { allowCrossSite }: Settings,
): void {
  if (method !== 'GET' && method !== 'POST') throw new SaveError('method-not-allowed');
  if (secFetchSite === 'cross-site' && !allowCrossSite) throw new SaveError('cross-site');
}

/** @throws SaveError `not-authorized`. */
export async function checkAuthorized(
  { authorize }: Settings,
  request: unknown,
  name: string,
): Promise<void> {
  if (authorize === undefined) return;
  let cause: unknown;
  try {
    if ((await authorize(request, { name })) === true) return;
  } catch (error) {
    cause = error;
  }
  throw new SaveError('not-authorized', {}, cause);
}
