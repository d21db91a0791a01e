// Stores the status and headers of the rendered response, by Node's own rules, separate from those of the reply.
import { type IncomingMessage, OutgoingMessage, ServerResponse } from 'node:http';
import { isDeepStrictEqual } from 'node:util';
import type { RenderedHead } from '../save/exchange.js';

type HeaderValue = number | string | string[];

/** By name, as it was written. */
export type HeaderValues = ReadonlyMap<string, HeaderValue>;

export function copyHeaders(res: ServerResponse): HeaderValues {
  const headers = new Map<string, HeaderValue>();
  for (const name of getRawNames(res)) {
    const value = res.getHeader(name);
    if (value !== undefined) headers.set(name, copyValue(value));
  }
  return headers;
}

/**
 * Restores the headers of a response. Its current headers may include the renderer's, because some libraries
 * (cookies) call `OutgoingMessage.prototype.setHeader` on it.
 */
export function restoreHeaders(res: ServerResponse, headers: HeaderValues): void {
  for (const name of getRawNames(res)) {
    if (!headers.has(name)) callInherited(res, 'removeHeader', [name]);
  }
  for (const [name, value] of headers) {
    if (!isDeepStrictEqual(res.getHeader(name), value)) callInherited(res, 'setHeader', [name, value]);
  }
}

/**
 * A response without a connection and listeners, with the methods of `ServerResponse`.
 *
 * The constructor of `ServerResponse` is not called: it would announce a response to tracers
 * (`http.server.response.created`, performance entries) that they would never see finish.
 */
class HeadResponse extends OutgoingMessage {
  statusCode: number;
  statusMessage: string;
  override readonly req: IncomingMessage;

  constructor(req: IncomingMessage, res: ServerResponse) {
    super();
    // Node reads the server's rules for header values through the request.
    this.req = req;
    this.statusCode = res.statusCode;
    this.statusMessage = res.statusMessage;
    this.sendDate = res.sendDate;
  }
}
Object.setPrototypeOf(HeadResponse.prototype, ServerResponse.prototype);

/** Creates the response that stores the rendered head, with the headers that earlier middleware set. */
export function createHeadResponse(
  req: IncomingMessage,
  res: ServerResponse,
  headers: HeaderValues,
): ServerResponse {
  // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment -- its prototype says so
  const head = new HeadResponse(req, res) as OutgoingMessage as ServerResponse;
  for (const [name, value] of headers) head.setHeader(name, copyValue(value));
  if (headers.size === 0) {
    // After the first `setHeader`, Node also keeps the headers of `writeHead` readable. (Idea: light-my-request.)
    head.setHeader('x', '');
    head.removeHeader('x');
  }
  return head;
}

export function readHead(head: ServerResponse): RenderedHead {
  const read = (name: string): string | undefined => {
    const value = head.getHeader(name);
    // Node keeps the spaces around a value, which are not part of it. (RFC 9110, 5.5.)
    return value === undefined ? undefined : String(value).trim();
  };
  return {
    status: head.statusCode,
    contentLength: read('Content-Length'),
    contentEncoding: read('Content-Encoding') ?? '',
    retryAfter: read('Retry-After'),
  };
}

/** Calls the method that the host, or Node, gives to every response: without wrappers by middleware. */
export function callInherited(
  res: ServerResponse,
  name: string,
  args: readonly unknown[],
  target = res,
): unknown {
  const method = Reflect.get(Object.getPrototypeOf(res) as object, name) as (...args: unknown[]) => unknown;
  return Reflect.apply(method, target, args);
}

/** Node's `appendHeader` changes arrays in place. */
function copyValue(value: HeaderValue): HeaderValue {
  return Array.isArray(value) ? [...value] : value;
}

/** Not every host's response has the names as they were written. (Node's types lack the method.) */
function getRawNames(res: ServerResponse & { getRawHeaderNames?: () => string[] }): string[] {
  return res.getRawHeaderNames?.() ?? res.getHeaderNames();
}
