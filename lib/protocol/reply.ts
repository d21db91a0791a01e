// The outcome of a save ↔ the properties text that tells the client of it. The only writer of our answer.
import type { ServerResponse } from 'node:http';
import { STATUS_CODES } from 'node:http';
import { inspect } from 'node:util';
import { getProperties } from 'properties-file';
import { escapeValue } from 'properties-file/escape';
import type { SaveError, SaveErrorCode } from '../errors.js';
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
}

/** A save that left everything as it was. */
export interface SaveFailure {
  readonly status: 'failed' | 'timeout';
  readonly error: SaveError;
}

export type SaveResult = SaveSuccess | SaveFailure;

/** A reply to a save command, as {@link parseReply} reads it. */
export interface SaveReply {
  /** `done`: the new image is in place. `failed` or `timeout`: what was there before still is. */
  readonly status: 'done' | 'failed' | 'timeout';
  /** The file's modification time, milliseconds since 1970; only when done. */
  readonly lastUpdated?: number;
  /** Width × height × pages; only when done. */
  readonly pixelsTotal?: number;
  /** The name that the image was saved under. Image Serving itself does not send it, nor what follows. */
  readonly name?: string;
  /** The image: pixels of one page as stored, media type, bytes. */
  readonly image?: {
    readonly width: number;
    readonly height: number;
    readonly type: string;
    readonly length: number;
  };
  /** Why there is no new image. */
  readonly error?: { readonly code: SaveErrorCode | (string & {}); readonly message: string };
  /** All the properties of the reply, as they were sent. */
  readonly properties: Readonly<Record<string, string>>;
}

/** What would be untrue of our body, or would keep it from being read, whoever set it. */
const STALE_ENTITY_HEADERS = [
  'ETag',
  'Last-Modified',
  'Content-Encoding',
  'Content-Range',
  'Transfer-Encoding',
  'Trailer',
];

/**
 * Answers a save command: 200 when done, 403 otherwise, in Image Serving's form.
 *
 * It goes through whatever was mounted before us and has wrapped the response (sessions, compression). Where
 * that throws, it goes around: the client gets its answer, and the operator a warning.
 */
export function sendReply(res: ServerResponse, outcome: SaveResult): void {
  const status = outcome.status === 'done' ? 200 : 403;
  const text = formatReply(outcome, new Date());
  // Somebody before us has answered, and nothing may come after an answer.
  if (res.headersSent) return;
  try {
    send(res, status, text);
  } catch (fault) {
    process.emitWarning(`A middleware before imageSave failed at its answer: ${inspect(fault)}`);
    for (const name of ['removeHeader', 'setHeader', 'writeHead', 'write', 'end'])
      Reflect.deleteProperty(res, name);
    send(res, status, text);
  }
}

function send(res: ServerResponse, status: number, text: string): void {
  if (!res.headersSent) {
    for (const name of STALE_ENTITY_HEADERS) res.removeHeader(name);
    res.setHeader('Content-Type', 'text/plain');
    res.setHeader('Cache-Control', 'no-store');
    res.setHeader('X-Content-Type-Options', 'nosniff');
    res.setHeader('Content-Length', Buffer.byteLength(text));
    res.statusMessage = STATUS_CODES[status] ?? '';
    // By itself, so that the headers are out whatever becomes of the body: what has wrapped `end` may put it off.
    res.writeHead(status);
  }
  // The plainest form: some of what wraps `end` takes no callback.
  res.end(text);
}

/** The body of the reply: ASCII, in the line format of `java.util.Properties`. */
export function formatReply(outcome: SaveResult, now: Date): string {
  const [verdict, properties] =
    outcome.status === 'done' ? ['OK', doneProperties(outcome)] : ['ERROR', errorProperties(outcome)];
  const lines = Object.entries(properties).map(
    // The keys are ours, and plain.
    ([key, value]) => `${key}=${typeof value === 'number' ? value : toAscii(escapeValue(value))}`,
  );
  return [`#S7Z ${verdict}`, `#${javaDate(now)}`, ...lines, ''].join('\n');
}

function doneProperties({
  status,
  lastUpdated,
  info,
  name,
  length,
}: SaveSuccess): Record<string, string | number> {
  return {
    status,
    lastUpdated,
    pixelsTotal: info.pixels,
    name,
    'image.width': info.width,
    'image.height': info.height,
    'image.type': info.type,
    'image.length': length,
  };
}

function errorProperties({ status, error }: SaveFailure): Record<string, string> {
  return { status, 'error.code': error.code, 'error.message': error.message };
}

/** What `java.util.Date.toString` prints, in UTC: `Sun Nov 22 13:28:00 UTC 2026`. */
function javaDate(date: Date): string {
  // Sun, 22 Nov 2026 13:28:00 GMT
  const utc = date.toUTCString();
  return `${utc.slice(0, 3)} ${utc.slice(8, 11)} ${utc.slice(5, 7)} ${utc.slice(17, 25)} UTC ${utc.slice(12, 16)}`;
}

function toAscii(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/**
 * Reads the reply to a save command, ours or Image Serving's own.
 *
 * @param text The body of the reply.
 * @throws TypeError The text is not such a reply: it has no `status` of `done`, `failed` or `timeout`.
 * @example
 * const reply = parseReply(await response.text());
 * if (reply.status === 'done') console.log(reply.pixelsTotal);
 * else console.error(reply.error?.message);
 */
export function parseReply(text: string): SaveReply {
  const properties = readProperties(text);
  const get = (key: string): string | undefined => properties[key];
  const status = get('status');
  if (status !== 'done' && status !== 'failed' && status !== 'timeout') {
    throw new TypeError(
      'This is not the reply to a save command: it has no status of done, failed or timeout. ' +
        'Did the request hold req=saveToFile, and did it reach a server that saves?',
    );
  }
  // An empty one is no zero.
  const number = (key: string): number => (get(key) === '' ? NaN : Number(get(key)));
  const [lastUpdated, pixelsTotal] = [number('lastUpdated'), number('pixelsTotal')];
  const [name, type, code] = [get('name'), get('image.type'), get('error.code')];
  const [width, height, length] = [number('image.width'), number('image.height'), number('image.length')];
  return {
    status,
    ...(Number.isNaN(lastUpdated) ? {} : { lastUpdated }),
    ...(Number.isNaN(pixelsTotal) ? {} : { pixelsTotal }),
    ...(name === undefined ? {} : { name }),
    ...(type === undefined || Number.isNaN(width * height * length)
      ? {}
      : { image: { width, height, type, length } }),
    ...(code === undefined ? {} : { error: { code, message: get('error.message') ?? '' } }),
    properties,
  };
}

/** The properties of a text; none where it is no properties text at all. */
function readProperties(text: string): Record<string, string> {
  try {
    return getProperties(text);
  } catch {
    return {};
  }
}
