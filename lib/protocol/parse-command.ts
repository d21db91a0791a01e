// The request's URL → the save command and the URL that is left for the renderer, or "not ours".
import { SaveError } from '../errors.js';

/** A save command as its client wrote it: decoded, but not yet held against the file system. */
export interface SaveCommand {
  /** The value of `name=`, decoded, with its `$var$` replaced. Not yet known to be a legal name. */
  readonly name: string;
  /** The value of `timeout=` in milliseconds, or undefined where there is none. */
  readonly timeout: number | undefined;
  /** The request's URL without `req`, `name` and `timeout`; every other byte as it was. */
  readonly rendererUrl: string;
}

/** One `name=value` of the query, split at its first `=`. */
interface QueryParam {
  readonly text: string;
  readonly name: string;
  readonly rawValue: string;
}

/**
 * `=saveToFile` in any case, any of its letters possibly percent-encoded. Linear: each step has one way on. Both cases
 * are written out because each request pays for it, and an expression that ignores case is slower.
 */
const SAVE_TO_FILE =
  /=(?:[sS]|%[57]3)(?:[aA]|%[46]1)(?:[vV]|%[57]6)(?:[eE]|%[46]5)(?:[tT]|%[57]4)(?:[oO]|%[46][fF])(?:[fF]|%[46]6)(?:[iI]|%[46]9)(?:[lL]|%[46][cC])(?:[eE]|%[46]5)/;

/** No file system takes a longer path, in characters. */
const MAX_NAME_LENGTH = 4096;

const SAVE_PARAMS = new Set(['req', 'name', 'timeout']);

/**
 * The one look that every request pays for: can this URL hold a save command at all? Tens of nanoseconds, and
 * never a false no; a yes is for {@link parseCommand} to confirm.
 */
export function mightBeSaveCommand(url: string): boolean {
  return SAVE_TO_FILE.test(url);
}

/**
 * Reads the save command from the query string of a URL.
 *
 * @param url The request target as the host hands it on, still encoded.
 * @returns The command, or undefined where the URL has no `req=saveToFile`.
 * @throws SaveError The URL has the command, but not in a form that names one file and one deadline.
 */
export function parseCommand(url: string): SaveCommand | undefined {
  const queryStart = url.indexOf('?');
  if (queryStart < 0) return undefined;
  const parts = splitParams(url.slice(queryStart + 1)).map(readParam);

  const requests = parts.filter((part) => part.name === 'req');
  if (!requests.some(asksToSave)) return undefined;
  const request = singleParam(requests, 'req');
  checkRequestOptions(request?.rawValue ?? '');

  const kept = parts.filter((part) => !SAVE_PARAMS.has(part.name)).map((part) => part.text);
  const query = kept.join('&');
  return {
    name: readName(parts),
    timeout: readTimeout(
      singleParam(
        parts.filter((part) => part.name === 'timeout'),
        'timeout',
      ),
    ),
    rendererUrl: url.slice(0, queryStart) + (query === '' ? '' : `?${query}`),
  };
}

/**
 * Splits a query at each `&` that is not inside a nested request: a balanced `(…)` or `{…}` is one value,
 * whatever it holds; a bracket without its partner is a plain character. (Image Serving, "Request nesting".)
 */
function splitParams(query: string): string[] {
  const partners = matchBrackets(query);
  const commands: string[] = [];
  let start = 0;
  for (let at = 0; at < query.length; at++) {
    const partner = partners.get(at);
    if (partner !== undefined) {
      at = partner;
    } else if (query[at] === '&') {
      commands.push(query.slice(start, at));
      start = at + 1;
    }
  }
  commands.push(query.slice(start));
  return commands;
}

/** The position of each opening bracket that has a partner → the position of that partner. Linear time. */
function matchBrackets(query: string): Map<number, number> {
  const partners = new Map<number, number>();
  const open: { readonly closer: ')' | '}'; readonly at: number }[] = [];
  const unclosed = { ')': 0, '}': 0 };
  for (const { 0: bracket, index } of query.matchAll(/[(){}]/g)) {
    if (bracket === '(' || bracket === '{') {
      const closer = bracket === '(' ? ')' : '}';
      open.push({ closer, at: index });
      unclosed[closer]++;
      continue;
    }
    const closer = bracket === ')' ? ')' : '}';
    // Counting what is open keeps a long row of stray closers from searching the stack again and again.
    while (unclosed[closer] > 0) {
      const last = open.pop();
      if (last === undefined) break;
      unclosed[last.closer]--;
      if (last.closer === closer) {
        partners.set(last.at, index);
        break;
      }
    }
  }
  return partners;
}

function readParam(text: string): QueryParam {
  const equals = text.indexOf('=');
  const rawName = equals < 0 ? text : text.slice(0, equals);
  // A name that cannot be decoded is none of ours: the renderer's business.
  return {
    text,
    name: (decode(rawName) ?? rawName).toLowerCase(),
    rawValue: equals < 0 ? '' : text.slice(equals + 1),
  };
}

function asksToSave(request: QueryParam): boolean {
  const type = request.rawValue.split(/,|%2c/i, 1)[0] ?? '';
  return decode(type)?.toLowerCase() === 'savetofile';
}

function checkRequestOptions(rawValue: string): void {
  const value = decodeParam('req', rawValue).toLowerCase();
  if (value !== 'savetofile' && value !== 'savetofile,text') {
    throw new SaveError(
      'unknown-req-option',
      'Write req=saveToFile or req=saveToFile,text: the reply has no other form.',
    );
  }
}

function readName(parts: readonly QueryParam[]): string {
  const command = singleParam(
    parts.filter((part) => part.name === 'name'),
    'name',
  );
  const name = decodeParam('name', command?.rawValue ?? '');
  if (command === undefined || name === '') {
    throw new SaveError('name-missing', 'Say where to save the image, as in name=shoe.jpg.');
  }
  return substitute(name, parts.slice(0, parts.indexOf(command)));
}

function readTimeout(command: QueryParam | undefined): number | undefined {
  if (command === undefined) return undefined;
  const value = decodeParam('timeout', command.rawValue);
  if (!/^\d+$/.test(value) || Number(value) < 1) {
    throw new SaveError(
      'timeout-invalid',
      'Give timeout= in whole milliseconds, 1 or more, as in timeout=5000.',
    );
  }
  return Number(value);
}

function singleParam(commands: readonly QueryParam[], name: string): QueryParam | undefined {
  if (commands.length > 1) {
    throw new SaveError(
      'repeated-command',
      `Write ${name}= only once: which of them is meant cannot be guessed.`,
    );
  }
  return commands[0];
}

/**
 * Replaces each `$var$` by the value of the latest earlier command `$var=value`; an undefined one stays as it
 * is, and what was put in is not looked at again. (Image Serving, "Substitution variables".)
 */
function substitute(text: string, earlier: readonly QueryParam[]): string {
  const definitions = new Map(earlier.map((part) => [part.name, part.rawValue]));
  let result = '';
  let at = 0;
  for (;;) {
    const start = text.indexOf('$', at);
    const end = start < 0 ? -1 : text.indexOf('$', start + 1);
    if (end < 0) return result + text.slice(at);
    const name = text.slice(start, end).toLowerCase();
    const definition = name === '$' ? undefined : definitions.get(name);
    if (definition !== undefined) {
      result += text.slice(at, start) + decodeParam(name, definition);
      at = end + 1;
    } else {
      // The closing $ of an unknown one may be the opening $ of the next.
      result += text.slice(at, end);
      at = end;
    }
    // One long value that is named over and over must not become a name of megabytes.
    if (result.length > MAX_NAME_LENGTH) throw new SaveError('name-invalid', 'Shorten the name.');
  }
}

function decodeParam(command: string, rawValue: string): string {
  const value = decode(rawValue);
  if (value === undefined) {
    throw new SaveError('bad-escape', `Encode the value of ${command}= as UTF-8 with %XX; a plain % is %25.`);
  }
  return value;
}

/** Percent-decodes once, as UTF-8, with `+` for a space; undefined where the escapes are malformed. */
function decode(raw: string): string | undefined {
  if (!/[+%\x80-\xff]/.test(raw)) return raw;
  // Node hands on bytes above 7F, which some clients send as they are, as one character each.
  const escaped = raw
    .replaceAll('+', ' ')
    .replace(/[\x80-\xff]/g, (byte) => `%${byte.charCodeAt(0).toString(16)}`);
  try {
    return decodeURIComponent(escaped);
  } catch {
    return undefined;
  }
}
