// The status and headers of the rendered response, by Node's own rules, separate from those of the reply.
import { type IncomingMessage, OutgoingMessage, ServerResponse } from 'node:http';
import { callInherited } from './state.js';

/** The parts of the rendered response's head that a save depends on. */
export interface ResponseHead {
  readonly status: number;
  /** The value of `Content-Length`, or undefined if there is none. */
  readonly contentLength: string | undefined;
  /** The value of `Content-Encoding`, or an empty string. */
  readonly contentEncoding: string;
  /** The value of `Retry-After`, or undefined if there is none. */
  readonly retryAfter?: string | undefined;
}

type HeaderValue = number | string | string[];

/** Header values by name, as the name was written. */
export type HeaderValues = ReadonlyMap<string, HeaderValue>;

/** Copies the headers of a response. Arrays are copied too: Node's `appendHeader` changes them in place. */
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
    if (isSameValue(res.getHeader(name), value)) continue;
    callInherited(res, 'setHeader', [name, value]);
  }
}

/**
 * A response without a connection and listeners, with the methods of `ServerResponse`.
 *
 * The constructor of `ServerResponse` is not called: it would announce a response to tracers
 * (`http.server.response.created`, performance entries) that they would never see finish.
 */
class RenderedHead extends OutgoingMessage {
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
Object.setPrototypeOf(RenderedHead.prototype, ServerResponse.prototype);

/** Creates the head of a rendered response, with the headers that earlier middleware set. */
export function createRenderedHead(
  req: IncomingMessage,
  res: ServerResponse,
  headers: HeaderValues,
): ServerResponse {
  // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment -- its prototype says so
  const head = new RenderedHead(req, res) as OutgoingMessage as ServerResponse;
  for (const [name, value] of headers) head.setHeader(name, copyValue(value));
  if (headers.size === 0) {
    // After the first `setHeader`, Node also keeps the headers of `writeHead` readable. (Idea: light-my-request.)
    head.setHeader('x', '');
    head.removeHeader('x');
  }
  return head;
}

export function readHead(head: ServerResponse): ResponseHead {
  const contentLength = head.getHeader('Content-Length');
  const retryAfter = head.getHeader('Retry-After');
  const contentEncoding = head.getHeader('Content-Encoding');
  return {
    status: head.statusCode,
    contentLength: contentLength === undefined ? undefined : String(contentLength),
    contentEncoding: contentEncoding === undefined ? '' : String(contentEncoding),
    retryAfter: retryAfter === undefined ? undefined : String(retryAfter),
  };
}

function copyValue(value: HeaderValue): HeaderValue {
  return Array.isArray(value) ? [...value] : value;
}

function isSameValue(one: HeaderValue | undefined, other: HeaderValue): boolean {
  if (!Array.isArray(one) || !Array.isArray(other)) return one === other;
  return one.length === other.length && one.every((item, at) => item === other[at]);
}

/** Returns header names as they were written, if the host's response has them. (Node's types lack the method.) */
function getRawNames(res: ServerResponse & { getRawHeaderNames?: () => string[] }): string[] {
  return res.getRawHeaderNames?.() ?? res.getHeaderNames();
}
