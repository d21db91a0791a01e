// Stores the status and headers of the rendered response, by Node's own rules, separate from those of the reply.
import { type IncomingMessage, OutgoingMessage, ServerResponse } from 'node:http';
import { isDeepStrictEqual } from 'node:util';
import type { ResponseHead } from '../save/exchange.js';

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

/** Some libraries (cookies) call `OutgoingMessage.prototype.setHeader`, and so set the renderer's headers past the capture. */
export function restoreHeaders(res: ServerResponse, headers: HeaderValues): void {
  for (const name of getRawNames(res)) {
    if (!headers.has(name)) callInherited(res, 'removeHeader', [name]);
  }
  for (const [name, value] of headers) {
    if (!isDeepStrictEqual(res.getHeader(name), value)) callInherited(res, 'setHeader', [name, value]);
  }
}

/**
 * A response without a connection. The constructor of `ServerResponse` is not called: it would announce a response to
 * tracers (`http.server.response.created`, performance entries) that they would never see finish.
 */
class RenderedHead extends OutgoingMessage {
  statusCode: number;
  statusMessage: string;
  override readonly req: IncomingMessage;

  constructor(req: IncomingMessage, res: ServerResponse, headers: HeaderValues) {
    super();
    // Node reads the server's rules for header values through the request.
    this.req = req;
    this.statusCode = res.statusCode;
    this.statusMessage = res.statusMessage;
    this.sendDate = res.sendDate;
    // After the first `setHeader`, Node also keeps the headers of `writeHead` readable. (Idea: light-my-request.)
    if (headers.size === 0) this.setHeader('x', '').removeHeader('x');
    for (const [name, value] of headers) this.setHeader(name, copyValue(value));
  }
}
Object.setPrototypeOf(RenderedHead.prototype, ServerResponse.prototype);

/** Creates the response that stores the rendered head, with the headers that earlier middleware set. */
export function createRenderedHead(...args: ConstructorParameters<typeof RenderedHead>): ServerResponse {
  // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment -- its prototype says so
  return new RenderedHead(...args) as OutgoingMessage as ServerResponse;
}

export function readHead(head: ServerResponse): ResponseHead {
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
export function callInherited(res: ServerResponse, name: string, args: unknown[], target = res): unknown {
  return Reflect.apply(
    Reflect.get(Object.getPrototypeOf(res) as object, name) as () => unknown,
    target,
    args,
  );
}

/** Node's `appendHeader` changes arrays in place. */
function copyValue(value: HeaderValue): HeaderValue {
  return Array.isArray(value) ? [...value] : value;
}

/** Not every host's response has the names as they were written. (Node's types lack the method.) */
function getRawNames(res: ServerResponse & { getRawHeaderNames?: () => string[] }): string[] {
  return res.getRawHeaderNames?.() ?? res.getHeaderNames();
}
