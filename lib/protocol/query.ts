// A query string → its parameters: split at `&`, nested requests kept whole, values decoded on demand.
import { SaveError } from '../errors.js';

/** One `name=value` of a query, split at its first `=`. */
export interface QueryParam {
  /** The parameter as it was sent. */
  readonly text: string;
  /** Decoded and in lower case. */
  readonly name: string;
  /** Still encoded. */
  readonly rawValue: string;
}

/**
 * Splits a query, which is what follows the `?`, at each `&` that is not inside a nested request: a balanced `(…)` or
 * `{…}` is one value, with any content; a bracket without its partner is a plain character. (Image Serving, "Request
 * nesting".)
 */
export function parseQuery(query: string): QueryParam[] {
  const partners = matchBrackets(query);
  const params: QueryParam[] = [];
  let start = 0;
  for (let at = 0; at <= query.length; at++) {
    at = partners.get(at) ?? at;
    if (at < query.length && query[at] !== '&') continue;
    params.push(readParam(query.slice(start, at)));
    start = at + 1;
  }
  return params;
}

/** The positions of opening brackets → those of their partners. Linear time. */
function matchBrackets(query: string): Map<number, number> {
  const partners = new Map<number, number>();
  const openRound: number[] = [];
  const openCurly: number[] = [];
  for (const { 0: bracket, index } of query.matchAll(/[(){}]/g)) {
    const [same, other] = /[()]/.test(bracket) ? [openRound, openCurly] : [openCurly, openRound];
    if (bracket === '(' || bracket === '{') {
      same.push(index);
      continue;
    }
    const opening = same.pop();
    if (opening === undefined) continue;
    partners.set(opening, index);
    // An open bracket between the two has no partner.
    while ((other.at(-1) ?? -1) > opening) other.pop();
  }
  return partners;
}

function readParam(text: string): QueryParam {
  const equals = text.indexOf('=');
  const rawName = equals < 0 ? text : text.slice(0, equals);
  return {
    text,
    // A name that cannot be decoded is none of ours, so the renderer gets it as it is.
    name: (decode(rawName) ?? rawName).toLowerCase(),
    rawValue: equals < 0 ? '' : text.slice(equals + 1),
  };
}

/** @throws SaveError `repeated-command`. */
export function findParam(params: readonly QueryParam[], name: string): QueryParam | undefined {
  const [param, second] = params.filter((candidate) => candidate.name === name);
  if (second !== undefined) throw new SaveError('repeated-command', { parameter: name });
  return param;
}

/** @throws SaveError `bad-escape`. */
export function decodeValue(parameter: string, rawValue: string): string {
  const value = decode(rawValue);
  if (value === undefined) throw new SaveError('bad-escape', { parameter });
  return value;
}

/** The value of `$object$`: the path of a URL, decoded, without the leading `/`. @throws SaveError `bad-escape`. */
export function decodePath(path: string): string {
  // Proxies are sent a whole URL. (RFC 9112, 3.2.2.)
  const object = decodeEscapes(path.replace(/^[a-z][a-z\d+.-]*:\/\/[^/]*/i, '').replace(/^\//, ''));
  if (object === undefined)
    throw new SaveError('bad-escape', { urlPart: 'the path that $object$ stands for' });
  return object;
}

/** Percent-decodes once, as UTF-8, with `+` for a space; undefined where the escapes are malformed. */
export function decode(raw: string): string | undefined {
  return decodeEscapes(raw.replaceAll('+', ' '));
}

/** As {@link decode}, but `+` stays, as in a path. */
export function decodeEscapes(raw: string): string | undefined {
  if (!/[%\x80-\xff]/.test(raw)) return raw;
  // Some clients send bytes above 7F as they are, and Node hands them on as one character each.
  const escaped = raw.replace(/[\x80-\xff]/g, (byte) => `%${byte.charCodeAt(0).toString(16)}`);
  try {
    return decodeURIComponent(escaped);
  } catch {
    return undefined;
  }
}
