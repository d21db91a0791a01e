// Rewrites the request for the renderer: a GET of the whole image, without the save command.
import type { IncomingMessage } from 'node:http';
import { parse } from 'node:querystring';
import { isDeepStrictEqual } from 'node:util';

type QueryParser = (query: string) => unknown;

interface MaybeExpressRequest {
  readonly url?: string | undefined;
  query?: unknown;
  app?: { get?: (name: 'query parser fn') => QueryParser | undefined };
}

/** Headers that make a renderer send a part of the image or other bytes. (RFC 9110, 12.5.3, 13 and 14.) */
export const STRIPPED_HEADERS = /^(?:if-.*|range|accept-encoding)$/i;

/** `originalUrl` and `rawHeaders` stay. The request stays rewritten, because a late renderer must not find a POST. */
export function rewriteForRenderer(req: IncomingMessage, rendererUrl: string): void {
  const { url } = req;
  setIfPossible(req, 'method', 'GET');
  req.url = rendererUrl;
  // Node builds the second copy on first access, so it is read only to remove a header.
  if (stripHeaders(req, 'headers')) stripHeaders(req, 'headersDistinct');
  rewriteStoredQuery(req, url ?? '');
}

/** Sets a property that some hosts make read-only, or throw at. */
export function setIfPossible(req: IncomingMessage, name: 'method' | 'socket', value: unknown): void {
  try {
    Reflect.set(req, name, value);
  } catch {
    // The renderer finds the host's own.
  }
}

/** Strips headers that earlier middleware may have read already; a copy where it has frozen them. Not all hosts have any. */
function stripHeaders(
  req: Partial<Pick<IncomingMessage, 'headers' | 'headersDistinct'>>,
  field: 'headers' | 'headersDistinct',
): boolean {
  const headers = req[field] ?? {};
  const names = Object.keys(headers).filter((name) => STRIPPED_HEADERS.test(name));
  if (names.length === 0) return false;
  const isFixed = Object.isSealed(headers);
  const rest = isFixed ? { ...headers } : headers;
  for (const name of names) Reflect.deleteProperty(rest, name);
  if (isFixed)
    Reflect.defineProperty(req, field, { value: rest, configurable: true, enumerable: true, writable: true });
  return true;
}

/**
 * Takes the command out of a query that earlier middleware has stored (Express 4 and itty-router do), and leaves in it what
 * that has changed, because it may be an input check. Express 5 computes `req.query` from the URL.
 */
export function rewriteStoredQuery(req: MaybeExpressRequest, oldUrl: string): void {
  const own = Object.getOwnPropertyDescriptor(req, 'query');
  const stored = own === undefined ? undefined : req.query;
  if (typeof stored !== 'object' || stored === null) return;
  if (stored instanceof URLSearchParams || stored instanceof Map) {
    const rest = stored instanceof Map ? new Map<unknown, unknown>(stored) : new URLSearchParams(stored);
    for (const [name, value] of findChanges(req, oldUrl, [...stored.keys()].map(String))) {
      rest.delete(name);
      if (rest instanceof URLSearchParams)
        for (const each of [value ?? []].flat()) rest.append(name, each as string);
      else if (value !== undefined) rest.set(name, value);
    }
    Reflect.defineProperty(req, 'query', { value: rest });
    return;
  }
  const properties = Object.getOwnPropertyDescriptors<object>(stored);
  const changes = findChanges(req, oldUrl, Object.keys(properties));
  if (changes.length === 0) return;
  for (const [name, value] of changes) {
    Reflect.deleteProperty(properties, name);
    if (value !== undefined)
      properties[name] = { value, configurable: true, enumerable: true, writable: true };
  }
  // A copy, because earlier middleware may have kept the query to look at it again.
  const value: unknown = Object.create(Object.getPrototypeOf(stored) as object | null, properties);
  // Some hosts make `req.query` read-only; some, in Express 5, writable but not configurable.
  const isOpen = own?.configurable === true;
  const rest = isOpen ? { configurable: true, enumerable: own.enumerable ?? true, writable: true } : {};
  if (Reflect.defineProperty(req, 'query', { value, ...rest })) return;
  for (const [name] of changes) Reflect.deleteProperty(stored, name);
}

/** The stored keys that differ between the old and the new URL, with their new values; undefined for none. */
function findChanges(
  req: MaybeExpressRequest,
  oldUrl: string,
  storedNames: readonly string[],
): [name: string, value: unknown][] {
  const changes = new Map<string, unknown>();
  // An application mounted in another may have another parser than the one that has stored the query, or none.
  for (const parser of [parse, req.app?.get?.('query parser fn') ?? parse]) {
    try {
      const [before, after] = [parseQuery(parser, oldUrl), parseQuery(parser, req.url ?? '')];
      for (const name of Object.keys(before)) {
        if (!isDeepStrictEqual(before[name], after[name])) changes.set(name, after[name]);
      }
    } catch {
      // The parser of an application may refuse a query, such as an empty one.
    }
  }
  // Names of commands have no case, and earlier middleware may have changed that of all keys.
  const removed = [...changes]
    .filter(([name, value]) => value === undefined && !storedNames.includes(name))
    .map(([name]) => name.toLowerCase());
  return storedNames
    .filter((name) => changes.has(name) || removed.includes(name.toLowerCase()))
    .map((name) => [name, changes.get(name)]);
}

function parseQuery(parser: QueryParser, url: string): Record<string, unknown> {
  const query = parser(/\?(.*)/s.exec(url)?.[1] ?? '');
  return { ...(query as object | null) };
}
