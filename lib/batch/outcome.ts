// The outcome of one attempt, and whether to retry it.
import type { IncomingMessage } from 'node:http';
import { parseReply, type SaveReply } from '../protocol/parse-reply.js';
import type { SaveResult } from './types.js';

export interface Outcome {
  /** What the result of the job says of it, if there is no further attempt. */
  readonly result: Pick<SaveResult, 'status' | 'code' | 'message' | 'rendererStatus' | 'bytes' | 'pixels'>;
  /** There was no response at all. */
  readonly isUnanswered?: boolean;
  readonly retry?: boolean;
  /** The server has more work than it can do: send it less. */
  readonly isBusy?: boolean;
  /** The server asks this client not to send anything at all before `retryAfter` has passed. */
  readonly isRateLimit?: boolean;
  /** Milliseconds that the server asks to wait. */
  readonly retryAfter?: number | undefined;
}

export type ResponseHead = Pick<IncomingMessage, 'headers' | 'statusCode'>;

/** Reads a response: that of our middleware, of Image Serving itself, or of something in front of either. */
export function readResponse({ headers, statusCode: status = 0 }: ResponseHead, text: string): Outcome {
  const contentType = (headers['content-type'] ?? '').toLowerCase();
  // An image may hold anything, also a line that looks like a status.
  const reply = contentType === '' || contentType.startsWith('text/') ? readReply(text) : undefined;
  if (reply?.status === 'done' && status === 200) {
    const { image, pixelsTotal: pixels } = reply;
    const sizes = { ...(image && { bytes: image.length }), ...(pixels !== undefined && { pixels }) };
    return { result: { status: 'done', ...sizes } };
  }
  const [code, message] = describeFailure(reply, status, contentType, headers.location);
  const retryAfter = parseRetryAfter(headers['retry-after']);
  const rendererStatus = reply?.error?.rendererStatus;
  // A renderer behind the middleware is as busy as a server that says so itself.
  const isOverloaded = [status, rendererStatus].some((each) => each === 429 || each === 503);
  return {
    result: { status: 'failed', code, message, ...(rendererStatus !== undefined && { rendererStatus }) },
    // Statuses that a proxy, a limiter or a server that restarts gives for a while.
    retry: [429, 502, 503, 504].includes(status) || reply?.error?.retry === true,
    isBusy: isOverloaded || code === 'too-busy',
    isRateLimit: retryAfter !== undefined && isOverloaded,
    retryAfter,
  };
}

function readReply(text: string): SaveReply | undefined {
  try {
    return parseReply(text);
  } catch {
    return undefined;
  }
}

function describeFailure(
  reply: SaveReply | undefined,
  status: number,
  contentType: string,
  location = '',
): readonly [code: string, message: string] {
  if (reply?.error !== undefined && reply.properties['error.code'] !== undefined)
    return [reply.error.code, reply.error.message];
  if (reply?.status === 'timeout')
    return ['timeout', 'The image was not saved in time. Allow more with a timeout of the job.'];
  if (reply?.status === 'failed') return ['failed', 'The server gives no reason. Look for one in its log.'];
  if (status >= 200 && status < 300) {
    const what = `The server sends ${contentType || 'something'} instead of the reply to a save command.`;
    return ['not-a-reply', `${what} Check that it saves images at this URL.`];
  }
  return [`http-${status}`, STATUS_MESSAGES[status] ?? describeOtherStatus(status, location)];
}

function describeOtherStatus(status: number, location: string): string {
  if (status >= 500) return 'The server failed. Look for the reason in its log.';
  if (status < 300 || status >= 400)
    return `The server refuses the request with status ${status}. Check the URL.`;
  return `The server redirects${location && ` to ${location}`}. Use that address in the jobs or in --server.`;
}

const OUTAGE =
  'The server behind the proxy did not answer, or is overloaded. Check it, then run the batch again.';
const NO_ENTRY =
  'The server does not let this client in. Send what it asks for, as in --header "Authorization: …".';

const STATUS_MESSAGES: Readonly<Record<number, string>> = {
  401: NO_ENTRY,
  403: NO_ENTRY,
  404: 'The server has nothing at this URL. Check the URL.',
  407: 'The proxy asks for a user and a password. Name them in its URL, as in HTTPS_PROXY=http://user:password@proxy:3128.',
  414: 'The URL is too long for the server. Shorten it, or raise the limit of the server.',
  429: 'The server takes fewer requests than were sent. Lower --concurrency.',
  502: OUTAGE,
  503: OUTAGE,
  504: OUTAGE,
};

/** No wait is longer, in milliseconds. */
const MAX_RETRY_AFTER_MS = 3_600_000;

/** `Retry-After` in milliseconds: seconds or a date (RFC 9110, 10.2.3); undefined where it is neither. */
export function parseRetryAfter(header: string | undefined, now = Date.now()): number | undefined {
  if (header === undefined) return undefined;
  const milliseconds = /^\s*\d+\s*$/.test(header) ? 1000 * Number(header) : Date.parse(header) - now;
  return Number.isNaN(milliseconds) ? undefined : Math.min(Math.max(0, milliseconds), MAX_RETRY_AFTER_MS);
}

const UNREACHABLE = ['host-unreachable', 'is unreachable. Check the network and the address.'] as const;
const BROKE = 'broke the connection. Check that server, then run the batch again.';

/** By Node's code, or our own: the code of the result, and what the server does. */
const CONNECTION_ERRORS: Readonly<Record<string, readonly [code: string, says: string]>> = {
  ECONNREFUSED: ['connection-refused', 'does not accept connections. Start it, or check the host and port.'],
  ENOTFOUND: ['host-not-found', 'has a host that does not exist. Check the address.'],
  EAI_AGAIN: ['host-not-found', 'has a host whose address is not known. Check the network and the address.'],
  EHOSTUNREACH: UNREACHABLE,
  ENETUNREACH: UNREACHABLE,
  ETIMEDOUT: UNREACHABLE,
  NO_REPLY: ['no-reply', 'did not reply in time. Check that server, then run the batch again.'],
};

/** This computer's own limits: files, local ports and memory for connections. */
const OWN_LIMITS = ['EMFILE', 'ENFILE', 'EADDRNOTAVAIL', 'ENOBUFS', 'ENOMEM'];

/** Errors of TLS. Node passes those of OpenSSL's X.509 check on by their names. */
const TLS_ERROR = /^(?:EPROTO$|ERR_SSL|ERR_TLS)|CERT|SELF_SIGNED|UNABLE_TO_VERIFY/;

/** @param server Where the request was sent to: its origin, and the proxy if there is one. */
export function readConnectionError({ code: reason = '' }: NodeJS.ErrnoException, server: string): Outcome {
  const isOwnLimit = OWN_LIMITS.includes(reason);
  const isTls = TLS_ERROR.test(reason);
  let [code, message] = CONNECTION_ERRORS[reason] ?? ['connection-broken', BROKE];
  message = `${server} ${message}`;
  if (isTls) {
    code = 'tls-failed';
    message = `No secure connection to ${server} (${reason}). Use http:// if the server has no TLS, or set NODE_EXTRA_CA_CERTS if it has a certificate of its own.`;
  } else if (isOwnLimit) {
    code = 'too-many-connections';
    message = `This computer opens no more connections (${reason}). Lower --concurrency, or raise its limit (ulimit -n).`;
  }
  const result = { status: 'failed', code, message } as const;
  return { result, isUnanswered: true, retry: !isTls, isBusy: isOwnLimit };
}
