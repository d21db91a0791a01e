// The outcome of one attempt, and whether to retry it.
import { parseReply, type SaveReply } from '../protocol/parse-reply.js';

/** How one attempt ended. */
export interface Outcome {
  readonly status: 'done' | 'failed';
  readonly code?: string;
  readonly message?: string;
  /** The status of the rendered response; only with `renderer-status`. */
  readonly rendererStatus?: number;
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
  const rendererStatus = reply?.error?.rendererStatus;
  // A renderer behind the middleware is as busy as a server that says so itself.
  const isOverloaded = [status, rendererStatus].some((each) => each === 429 || each === 503);
  return {
    status: 'failed',
    code,
    message,
    ...(rendererStatus === undefined ? {} : { rendererStatus }),
    retry: RETRYABLE_STATUSES.has(status) || reply?.error?.retry === true,
    isBusy: isOverloaded || code === 'too-busy',
    isRateLimit: wait !== undefined && isOverloaded,
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

/** By Node's code, or our own: the code of the result, and what to say of the server. */
const CONNECTION_ERRORS: Readonly<Record<string, readonly [code: string, say: (server: string) => string]>> =
  {
    ECONNREFUSED: [
      'connection-refused',
      (server) => `${server} does not accept connections. Start it, or check the host and port.`,
    ],
    ENOTFOUND: ['host-not-found', (server) => `There is no host of ${server}. Check the address.`],
    EAI_AGAIN: [
      'host-not-found',
      (server) => `Cannot resolve the host of ${server}. Check the network and the address.`,
    ],
    ...Object.fromEntries(
      ['EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT'].map((reason) => [
        reason,
        [
          'host-unreachable',
          (server: string) => `${server} is unreachable. Check the network and the address.`,
        ],
      ]),
    ),
    NO_REPLY: [
      'no-reply',
      (server) => `${server} did not reply in time. Check that server, then run the batch again.`,
    ],
  };

/** This computer's own limits: files, local ports and memory for connections. */
const OWN_LIMITS = new Set(['EMFILE', 'ENFILE', 'EADDRNOTAVAIL', 'ENOBUFS', 'ENOMEM']);

/**
 * Turns a request that failed without a response into its outcome.
 *
 * @param server Where it was sent to: its origin, and the proxy if there is one.
 */
export function readConnectionError(error: NodeJS.ErrnoException, server: string): Outcome {
  const reason = error.code ?? '';
  const failure = { status: 'failed', isUnanswered: true, retry: true } as const;
  if (reason === 'EPROTO' || /^ERR_(SSL|TLS)/.test(reason) || isCertificateError(reason)) {
    const message =
      `No secure connection to ${server} (${reason}). Use http:// if the server has no TLS, ` +
      'or set NODE_EXTRA_CA_CERTS if it has a certificate of its own.';
    return { ...failure, code: 'tls-failed', message, retry: false };
  }
  if (OWN_LIMITS.has(reason)) {
    const message = `This computer opens no more connections (${reason}). Lower --concurrency, or raise its limit (ulimit -n).`;
    return { ...failure, code: 'too-many-connections', message, isBusy: true };
  }
  const [code, say] = CONNECTION_ERRORS[reason] ?? [
    'connection-broken',
    (to: string) => `The connection to ${to} broke. Check that server, then run the batch again.`,
  ];
  return { ...failure, code, message: say(server) };
}

/** Node passes the errors of OpenSSL's X.509 check on by their names. */
function isCertificateError(code: string): boolean {
  return /CERT|SELF_SIGNED|UNABLE_TO_VERIFY/.test(code);
}
