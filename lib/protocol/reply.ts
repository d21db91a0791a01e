// The result of a save → the reply to its client.
import { escapeValue } from 'properties-file/escape';
import { isRetryable, type SaveError } from '../errors.js';
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
  readonly error?: undefined;
}

/** A save that was refused or failed. */
export interface SaveFailure extends Partial<Record<'info' | 'length' | 'url', undefined>> {
  readonly status: 'failed' | 'timeout';
  readonly error: SaveError;
}

export type SaveOutcome = SaveSuccess | SaveFailure;

/** The headers of every reply. The host's middleware adds to them and cannot change them. */
export const FIXED_HEADERS = {
  'Content-Type': 'text/plain',
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
};

/** A reply, before it is sent. */
export interface Reply {
  readonly status: 200 | 403;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

/** Makes the reply to a save command in Image Serving's form: 200 when done, 403 otherwise. */
export function createReply(outcome: SaveOutcome): Reply {
  const text = formatReply(outcome, new Date());
  const headers: Record<string, string> = {
    ...FIXED_HEADERS,
    'Content-Length': String(Buffer.byteLength(text)),
  };
  const retryAfter = outcome.error && readRetryAfter(outcome.error);
  if (retryAfter !== undefined) headers['Retry-After'] = String(retryAfter);
  return { status: outcome.status === 'done' ? 200 : 403, headers, text };
}

/** Whole seconds, whatever a store has put into its error; undefined where there is nothing to wait for. */
function readRetryAfter({ code, retry, retryAfter }: SaveError): number | undefined {
  const seconds = Math.ceil(Number(retryAfter));
  if (code === 'too-busy') return Number.isSafeInteger(seconds) ? Math.max(1, seconds) : 1;
  return code === 'renderer-status' && retry && Number.isSafeInteger(seconds) ? seconds : undefined;
}

/** The body of the reply: ASCII, in the line format of `java.util.Properties`. */
export function formatReply(result: SaveOutcome, now: Date): string {
  const [verdict, properties] =
    result.status === 'done' ? ['OK', doneProperties(result)] : ['ERROR', errorProperties(result)];
  const lines = Object.entries(properties)
    .filter(([, value]) => value !== undefined)
    // The keys are fixed and need no escapes.
    .map(([key, value]) => `${key}=${toAscii(escapeValue(String(value)))}`);
  return [`#S7Z ${verdict}`, `#${javaDate(now)}`, ...lines, ''].join('\n');
}

type Properties = Record<string, string | number | undefined>;

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
    url,
  };
}

function errorProperties({ status, error }: SaveFailure): Properties {
  const { code, message, rendererStatus } = error;
  return {
    status,
    'error.code': code,
    'error.message': message,
    'error.rendererStatus': rendererStatus,
    // An error of an older copy of this package has no `retry`.
    'error.retry': error.retry || isRetryable(code) ? 'true' : undefined,
  };
}

/** Formats a time as `java.util.Date.toString` does, in UTC: `Sun Nov 22 13:28:00 UTC 2026`. */
function javaDate(date: Date): string {
  // Sun, 22 Nov 2026 13:28:00 GMT
  const [weekday, day, month, year, time] = date.toUTCString().split(/,? /);
  return `${weekday} ${month} ${day} ${time} UTC ${year}`;
}

function toAscii(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
