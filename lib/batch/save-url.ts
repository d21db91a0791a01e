// A job → the request that saves it: the image's URL with the save command at its end.
import { parseQuery, type QueryParam } from '../protocol/query.js';
import { UsageError, type SaveJob } from './types.js';

/** Where a save command goes. */
export interface BatchRequest {
  /** Scheme, host and port. */
  readonly origin: string;
  /** The image alone, without the command: equal for jobs that ask for the same one. */
  readonly image: string;
  /** The path and the query, ready to be sent. */
  readonly path: string;
  /** Milliseconds that the server may take; undefined where it decides. */
  readonly timeout: number | undefined;
}

/** The parameters of the command. A URL that has one already would have it twice. */
const COMMAND_PARAMS = new Set(['req', 'name', 'timeout']);

/**
 * Appends the save command to the URL of a job. The other bytes of the URL stay as they are, except that characters
 * which no request may have (spaces, everything beyond ASCII) are percent-encoded.
 *
 * @throws UsageError The URL is a path, and there is no server.
 * @throws TypeError The URL cannot be requested, or has a save command already.
 */
export function createRequest(
  { url, name, timeout }: SaveJob,
  defaults: { readonly server: string | undefined; readonly timeout: number | undefined },
): BatchRequest {
  const [, givenOrigin, rest = ''] = /^(https?:\/\/[^/?#]+)?([^#]*)/i.exec(url) ?? [];
  if (givenOrigin === undefined && !rest.startsWith('/'))
    throw new TypeError('its URL must start with / or with http:// or https://');
  if (givenOrigin !== undefined && (givenOrigin.includes('@') || !URL.canParse(givenOrigin)))
    throw new TypeError('its URL must have a host, without a user (send passwords by a header)');
  const origin = givenOrigin ?? defaults.server;
  if (origin === undefined)
    throw new UsageError(`The URL ${url} is a path. Name its server, as in --server http://localhost:3000`);
  const path = encode(rest.startsWith('/') ? rest : `/${rest}`, /[^\x21-\x7e]+/g);
  const query = path.indexOf('?');
  const repeated = query < 0 ? undefined : parseQuery(path.slice(query + 1)).find(isCommandParam)?.name;
  if (repeated !== undefined)
    throw new TypeError(`its URL has ${repeated}= already, which belongs to the save command: leave it out`);
  const limit = timeout ?? defaults.timeout;
  const command = `req=saveToFile&name=${encodeValue(name)}${limit === undefined ? '' : `&timeout=${limit}`}`;
  const joint = query < 0 ? '?' : query === path.length - 1 ? '' : '&';
  return { origin, image: `${origin}${path}`, path: `${path}${joint}${command}`, timeout: limit };
}

/** Whether a parameter belongs to the save command. */
export function isCommandParam({ name }: QueryParam): boolean {
  return COMMAND_PARAMS.has(name);
}

/**
 * Percent-encodes a value for a URL, its slashes left as they are. Brackets are encoded too, because one in a nested
 * request would take the parameters behind it along.
 */
export function encodeValue(value: string): string {
  return encode(value, /[^\w\-.~/]+/g);
}

/** A lone surrogate, which UTF-8 cannot hold, becomes U+FFFD. */
function encode(text: string, pattern: RegExp): string {
  return text.replace(pattern, (part) =>
    Array.from(Buffer.from(part), (byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
  );
}
