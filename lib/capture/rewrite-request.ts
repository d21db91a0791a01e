// Rewrites the request for the renderer: a GET of the whole image, without the save command.
import type { IncomingMessage } from 'node:http';
import { parse } from 'node:querystring';

/** A request with the properties that Express adds. */
interface MaybeExpressRequest extends IncomingMessage {
  query?: unknown;
  app?: { get?: (name: 'query parser fn') => ((query: string) => unknown) | undefined };
}

/** Headers that make a renderer send a part of the image or other bytes. (RFC 9110, 12.5.3, 13 and 14.) */
const STRIPPED_HEADERS = /^(?:if-.*|range|accept-encoding)$/;

/**
 * Rewrites a request for the renderer. `originalUrl` and `rawHeaders` stay unchanged. The request stays rewritten
 * after the save, because a late renderer must not find a POST.
 */
export function rewriteForRenderer(req: IncomingMessage, rendererUrl: string): void {
  req.method = 'GET';
  req.url = rendererUrl;
  for (const name of Object.keys(req.headers)) {
    if (!STRIPPED_HEADERS.test(name)) continue;
    Reflect.deleteProperty(req.headers, name);
    // Node builds this copy of the headers on first access, so it is read only to remove a header.
    Reflect.deleteProperty(req.headersDistinct, name);
  }
  rewriteStoredQuery(req);
}

/** Express 5 computes `req.query` from the URL. Express 4 and others have stored it, so it is updated here. */
function rewriteStoredQuery(req: MaybeExpressRequest): void {
  const own = Object.getOwnPropertyDescriptor(req, 'query');
  if (own === undefined || typeof req.query !== 'object') return;
  const query = /\?(.*)/s.exec(req.url ?? '')?.[1] ?? '';
  const parser = req.app?.get?.('query parser fn');
  const value = (parser ?? parse)(query);
  // Some hosts make `req.query` read-only; some, in Express 5, writable but not configurable.
  const rest = own.configurable === true ? { configurable: true, enumerable: true, writable: true } : {};
  Object.defineProperty(req, 'query', { value, ...rest });
}
