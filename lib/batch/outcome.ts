// What one attempt came to: the reply, or the failure to get one, and whether another attempt may help.
import { parseReply, type SaveReply } from '../protocol/parse-reply.js';

/** How one attempt ended. */
export interface Outcome {
  readonly status: 'done' | 'failed';
  readonly code?: string;
  readonly message?: string;
  readonly bytes?: number;
  readonly pixels?: number;
  /** There was no response at all. */
  readonly isUnanswered?: boolean;
  /** Another attempt may succeed. */
  readonly retry?: boolean;
  /** The server has more work than it can do: send it less. */
  readonly isBusy?: boolean;
  /** The server asks this client not to send anything at all before `retryAfter` has passed. */
  readonly isRateLimit?: boolean;
  /** Milliseconds that the server asks to wait. */
  readonly retryAfter?: number;
}

/** A response, as far as it concerns a batch. */
export interface ResponseSummary {
  readonly status: number;
  readonly contentType: string;
  readonly retryAfter: string | undefined;
  /** Of a server that redirects. */
  readonly location: string | undefined;
  readonly text: string;
}

/** Statuses that a proxy, a limiter or a server that restarts gives for a while. */
const RETRYABLE_STATUSES = new Set([429, 502, 503, 504]);

/** Errors that would meet every other job too. */
const CONCERNS_EVERY_JOB = new Set([
  'saving-disabled',
  'not-authorized',
  'save-path-missing',
  'store-missing',
  'not-a-reply',
  'http-401',
  'connection-refused',
  'host-not-found',
  'host-unreachable',
  'tls-failed',
]);

export function concernsEveryJob(code: string): boolean {
  return CONCERNS_EVERY_JOB.has(code);
}

/** Reads a response: that of our middleware, of Image Serving itself, or of something in front of either. */
export function readResponse(response: ResponseSummary): Outcome {
  const { status, retryAfter } = response;
  const reply = readReply(response);
  if (reply?.status === 'done' && status === 200) {
    return {
      status: 'done',
      ...(reply.image === undefined ? {} : { bytes: reply.image.length }),
      ...(reply.pixelsTotal === undefined ? {} : { pixels: reply.pixelsTotal }),
    };
  }
  const { code, message } = describeFailure(response, reply);
  const wait = parseRetryAfter(retryAfter);
  return {
    status: 'failed',
    ...{ code, message },
    retry: RETRYABLE_STATUSES.has(status) || reply?.error?.retry === true,
    isBusy: status === 429 || status === 503 || code === 'too-busy',
    isRateLimit: wait !== undefined && (status === 429 || status === 503),
    ...(wait === undefined ? {} : { retryAfter: wait }),
  };
}

/** The reply to the command, or undefined where the response is something else. */
function readReply({ contentType, text }: ResponseSummary): SaveReply | undefined {
  // An image may hold anything, also a line that looks like a status.
  if (contentType !== '' && !contentType.startsWith('text/')) return undefined;
  try {
    return parseReply(text);
  } catch {
    return undefined;
  }
}

function describeFailure(
  { status, contentType, location }: ResponseSummary,
  reply: SaveReply | undefined,
): { code: string; message: string } {
  if (reply?.properties['error.code'] !== undefined && reply.error !== undefined)
    return { code: reply.error.code, message: reply.error.message };
  if (reply?.status === 'timeout')
    return {
      code: 'timeout',
      message: 'The image was not saved in time. Allow more with a timeout of the job.',
    };
  if (reply?.status === 'failed')
    return { code: 'failed', message: 'The server gives no reason. Look for one in its log.' };
  if (status >= 200 && status < 300) {
    const type = contentType === '' ? 'something' : contentType;
    return {
      code: 'not-a-reply',
      message: `The server sends ${type} instead of the reply to a save command. Check that it saves images at this URL.`,
    };
  }
  return { code: `http-${status}`, message: describeStatus(status, location) };
}

function describeStatus(status: number, location: string | undefined): string {
  if (status >= 300 && status < 400)
    return `The server redirects${location === undefined ? '' : ` to ${location}`}. Use that address in the jobs or in --server.`;
  if (status === 401 || status === 403)
    return 'The server does not let this client in. Send what it asks for, as in --header "Authorization: …".';
  if (status === 404) return 'The server has nothing at this URL. Check the URL.';
  if (status === 414)
    return 'The URL is too long for the server. Shorten it, or raise the limit of the server.';
  if (status === 429) return 'The server takes fewer requests than were sent. Lower --concurrency.';
  if (status === 502 || status === 503 || status === 504)
    return 'The server behind the proxy did not answer, or is overloaded. Check it, then run the batch again.';
  return status >= 500
    ? 'The server failed. Look for the reason in its log.'
    : `The server refuses the request with status ${status}. Check the URL.`;
}

/** No wait is longer, in milliseconds. */
const MAX_RETRY_AFTER_MS = 3_600_000;

/** `Retry-After` in milliseconds: seconds or a date (RFC 9110, 10.2.3); undefined where it is neither. */
export function parseRetryAfter(header: string | undefined, now = Date.now()): number | undefined {
  if (header === undefined) return undefined;
  const milliseconds = /^\s*\d+\s*$/.test(header) ? 1000 * Number(header) : Date.parse(header) - now;
  return Number.isNaN(milliseconds) ? undefined : Math.min(Math.max(0, milliseconds), MAX_RETRY_AFTER_MS);
}

/** By Node's code, or our own: the code of the result, and what to do. The origin of the server stands between both. */
const CONNECTION_ERRORS: ReadonlyMap<string, readonly [code: string, what: string, advice: string]> = new Map(
  [
    ['ECONNREFUSED', ['connection-refused', 'No server listens at', 'Start it, or check the host and port.']],
    ['ENOTFOUND', ['host-not-found', 'There is no host', 'Check the address.']],
    [
      'EAI_AGAIN',
      ['host-not-found', 'The name cannot be looked up of', 'Check the network and the address.'],
    ],
    ['EHOSTUNREACH', ['host-unreachable', 'There is no way to', 'Check the network and the address.']],
    ['ENETUNREACH', ['host-unreachable', 'There is no way to', 'Check the network and the address.']],
    ['ETIMEDOUT', ['host-unreachable', 'No connection is taken by', 'Check the network and the address.']],
    ['NO_REPLY', ['no-reply', 'No reply came from', 'Check that server, then run the batch again.']],
  ],
);

const BROKEN = [
  'connection-broken',
  'The connection broke to',
  'Check that server, then run the batch again.',
] as const;

/**
 * Turns a request that failed without a response into its outcome.
 *
 * @param origin Where it was sent to.
 */
export function readConnectionError(error: NodeJS.ErrnoException, origin: string): Outcome {
  const reason = error.code ?? '';
  if (reason === 'EPROTO' || /^ERR_(SSL|TLS)/.test(reason) || isCertificateError(reason)) {
    const message =
      `No secure connection to ${origin} (${reason}). Use http:// if the server has no TLS, ` +
      'or set NODE_EXTRA_CA_CERTS if it has a certificate of its own.';
    return { status: 'failed', isUnanswered: true, code: 'tls-failed', message, retry: false };
  }
  const [code, what, advice] = CONNECTION_ERRORS.get(reason) ?? BROKEN;
  return { status: 'failed', isUnanswered: true, code, message: `${what} ${origin}. ${advice}`, retry: true };
}

/** Node passes the errors of OpenSSL's X.509 check on by their names. */
function isCertificateError(code: string): boolean {
  return /CERT|SELF_SIGNED|UNABLE_TO_VERIFY/.test(code);
}
