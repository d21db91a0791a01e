// The result of a save → the reply to its client: the only place that writes to the client.
import { STATUS_CODES, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { escapeValue } from 'properties-file/escape';
import { describeError, isRetryable, type SaveError } from '../errors.js';
import type { ImageInfo } from '../image/types.js';

/** An image that has been published. */
export interface SaveSuccess {
  readonly status: 'done';
  readonly name: string;
  readonly info: ImageInfo;
  /** Bytes in the file. */
  readonly length: number;
  /** The file's modification time, whole milliseconds since 1970. */
  readonly lastUpdated: number;
  /** Where clients find the image, if the operator has said so. */
  readonly url?: string | undefined;
}

/** A save that was refused or failed. */
export interface SaveFailure {
  readonly status: 'failed' | 'timeout';
  readonly error: SaveError;
}

export type SaveOutcome = SaveSuccess | SaveFailure;

/** Headers by which a client could keep the reply. (RFC 9110, 8.8.) */
const VALIDATORS = ['ETag', 'Last-Modified'];

/** Headers that are wrong for the reply's body, or would keep a client from reading it. */
// prettier-ignore
const STALE_ENTITY_HEADERS = [...VALIDATORS, 'Content-Encoding', 'Content-Range', 'Transfer-Encoding', 'Trailer'];

/** The headers of every reply. The host's middleware adds to them and cannot change them. */
const FIXED_HEADERS = {
  'Content-Type': 'text/plain',
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
};

/** The methods of a response that the reply uses. */
// prettier-ignore
const USED_METHODS = ['hasHeader', 'removeHeader', 'setHeader', '_storeHeader', 'writeHead', 'write', 'end'];

/** A reply, before it is sent. */
export interface Reply {
  readonly status: 200 | 403;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

/** Makes the reply to a save command in Image Serving's form: 200 when done, 403 otherwise. */
export function createReply(outcome: SaveOutcome): Reply {
  const text = formatReply(outcome, new Date());
  const retryAfter = outcome.status === 'done' ? undefined : readRetryAfter(outcome.error);
  return {
    status: outcome.status === 'done' ? 200 : 403,
    headers: {
      ...FIXED_HEADERS,
      ...(retryAfter === undefined ? {} : { 'Retry-After': String(retryAfter) }),
      'Content-Length': String(Buffer.byteLength(text)),
    },
    text,
  };
}

/**
 * Sends the reply to a save command.
 *
 * The reply passes through all earlier middleware that has wrapped the response (sessions, compression). If one of
 * them throws, the reply bypasses them, and the operator gets a warning.
 *
 * @throws Error Earlier middleware has sent a head and no end, so there can be no reply.
 */
export function sendReply(res: ServerResponse, result: SaveOutcome): void {
  const reply = createReply(result);
  if (res.headersSent) {
    // Earlier middleware has already sent a whole response.
    if (res.writableEnded) return;
    throw new Error('A middleware before imageSave has sent the head of another response');
  }
  try {
    send(res, reply);
  } catch (error) {
    process.emitWarning(`A middleware before imageSave failed at its reply: ${describeError(error)}`);
    for (const name of USED_METHODS) Reflect.deleteProperty(res, name);
    send(res, reply);
  }
}

function send(res: ServerResponse, { status, headers, text }: Reply): void {
  if (!res.headersSent) {
    for (const name of STALE_ENTITY_HEADERS) if (res.hasHeader(name)) res.removeHeader(name);
    for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
    fixHead(res, status);
    res.statusMessage = STATUS_CODES[status] ?? '';
    // Called separately, so that the headers are fixed even if a wrapper of `end` sends the body later.
    res.writeHead(status);
  }
  // Without a callback, because some wrappers of `end` ignore it.
  res.end(text);
}

/** Whole seconds, whatever a store has put into its error; undefined where there is nothing to wait for. */
function readRetryAfter({ code, retry, retryAfter }: SaveError): number | undefined {
  const seconds = Math.ceil(Number(retryAfter));
  if (code === 'too-busy') return Number.isSafeInteger(seconds) ? Math.max(1, seconds) : 1;
  return code === 'renderer-status' && retry && Number.isSafeInteger(seconds) ? seconds : undefined;
}

/** Ends a connection that can carry no reply: it tells the client more than silence. */
export function cutConnection(socket: Partial<Pick<Socket, 'destroy'>>, res: ServerResponse): void {
  // Hosts without a network connection have only the response.
  if (socket.destroy === undefined) res.destroy();
  else socket.destroy();
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

/** The body of the reply: ASCII, in the line format of `java.util.Properties`. */
export function formatReply(result: SaveOutcome, now: Date): string {
  const [verdict, properties] =
    result.status === 'done' ? ['OK', doneProperties(result)] : ['ERROR', errorProperties(result)];
  const lines = Object.entries(properties).map(
    // The keys are fixed and need no escapes.
    ([key, value]) => `${key}=${typeof value === 'number' ? value : toAscii(escapeValue(value))}`,
  );
  return [`#S7Z ${verdict}`, `#${javaDate(now)}`, ...lines, ''].join('\n');
}

type Properties = Record<string, string | number>;

function doneProperties({ status, lastUpdated, info, name, length, url }: SaveSuccess): Properties {
  return {
    status,
    lastUpdated,
    pixelsTotal: info.pixels,
    name,
    'image.width': info.width,
    'image.height': info.height,
    'image.type': info.type,
    'image.length': length,
    ...(url === undefined ? {} : { url }),
  };
}

function errorProperties({ status, error }: SaveFailure): Properties {
  const { code, message, rendererStatus } = error;
  return {
    status,
    'error.code': code,
    'error.message': message,
    ...(rendererStatus === undefined ? {} : { 'error.rendererStatus': String(rendererStatus) }),
    // An error of an older copy of this package has no `retry`.
    ...(error.retry || isRetryable(code) ? { 'error.retry': 'true' } : {}),
  };
}

/** Formats a time as `java.util.Date.toString` does, in UTC: `Sun Nov 22 13:28:00 UTC 2026`. */
function javaDate(date: Date): string {
  // Sun, 22 Nov 2026 13:28:00 GMT
  const utc = date.toUTCString();
  return `${utc.slice(0, 3)} ${utc.slice(8, 11)} ${utc.slice(5, 7)} ${utc.slice(17, 25)} UTC ${utc.slice(12, 16)}`;
}

function toAscii(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
