// Sends the reply on Node's own response.
import { STATUS_CODES, type ServerResponse } from 'node:http';
import { describeError } from '../errors.js';
import { FIXED_HEADERS, type Reply } from '../protocol/reply.js';

/** Headers by which a client could keep the reply. (RFC 9110, 8.8.) */
const VALIDATORS = ['ETag', 'Last-Modified'];
/** Headers that are wrong for the reply's body, or would keep a client from reading it. */
// prettier-ignore
const STALE_ENTITY_HEADERS = [...VALIDATORS, 'Content-Encoding', 'Content-Range', 'Transfer-Encoding', 'Trailer'];
/** The methods of a response that the reply uses. */
// prettier-ignore
const USED_METHODS = ['hasHeader', 'removeHeader', 'setHeader', '_storeHeader', 'writeHead', 'write', 'end'];

/**
 * Sends the reply through all earlier middleware that has wrapped the response (sessions, compression). If one of them
 * throws, the reply bypasses them, and the operator gets a warning.
 *
 * @throws Error Earlier middleware has sent a head and no end, so there can be no reply.
 */
export function sendReply(res: ServerResponse, reply: Reply): void {
  if (res.headersSent) {
    // Earlier middleware has already sent a whole response.
    if (res.writableEnded) return;
    throw new Error('A middleware before imageSave has sent the head of another response');
  }
  try {
    // Middleware that has announced an encoding would apply it.
    if (res.hasHeader('Content-Encoding')) removeWrappers(res);
    send(res, reply);
  } catch (error) {
    process.emitWarning(`A middleware before imageSave failed at its reply: ${describeError(error)}`);
    removeWrappers(res);
    send(res, reply);
  }
}

function removeWrappers(res: ServerResponse): void {
  for (const name of USED_METHODS) Reflect.deleteProperty(res, name);
}

function send(res: ServerResponse & ResponseFields, { status, headers, text }: Reply): void {
  if (!res.headersSent) {
    for (const name of STALE_ENTITY_HEADERS) if (res.hasHeader(name)) res.removeHeader(name);
    for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
    fixHead(res, status);
    res.statusMessage = STATUS_CODES[status] ?? '';
    // Called separately, so that the headers are fixed even if a wrapper of `end` sends the body later.
    res.writeHead(status);
  }
  // Without a callback, because some wrappers of `end` ignore it; to HEAD without a text, which some servers forbid.
  res.end(res._hasBody === false ? undefined : text);
}

/** Fields of Node's own responses. Those of some hosts lack them. */
interface ResponseFields {
  /** Builds the head. Node's own `writeHead`, below all wrappers, calls it. */
  _storeHeader?: StoreHeader;
  _hasBody?: boolean;
  [kHead]?: { readonly status: number; readonly storeHeader: StoreHeader };
}

type StoreHeader = (statusLine: string, headers: unknown) => void;

const kHead = Symbol('head');

/**
 * Sets status and headers of the reply once more as Node builds the head: earlier middleware may set others in a wrapper
 * of `writeHead` (on-headers does).
 */
function fixHead(res: ServerResponse & ResponseFields, status: number): void {
  if (res._storeHeader === undefined) return;
  res[kHead] = { status, storeHeader: res._storeHeader };
  // One function for all responses. With a function for each, V8 keeps the objects of finished saves in memory until
  // its next full garbage collection, and a small save costs a fifth more.
  res._storeHeader = storeFixedHead;
}

function storeFixedHead(this: ServerResponse & ResponseFields, statusLine: string, headers: unknown): void {
  const inherited = Object.getPrototypeOf(this) as ServerResponse;
  for (const name of VALIDATORS) {
    if (inherited.hasHeader.call(this, name)) inherited.removeHeader.call(this, name);
  }
  for (const [name, value] of Object.entries(FIXED_HEADERS)) {
    if (inherited.getHeader.call(this, name) !== value) inherited.setHeader.call(this, name, value);
  }
  const { status, storeHeader } = this[kHead] ?? {};
  if (status !== undefined && this.statusCode !== status) {
    this.statusCode = status;
    this.statusMessage = STATUS_CODES[status] ?? '';
    // Node expects no body of a 204 or 304.
    this._hasBody = true;
    statusLine = `HTTP/1.1 ${status} ${this.statusMessage}\r\n`;
  }
  storeHeader?.call(this, statusLine, headers);
}
