// The request's URL → the save command and the URL for the renderer, or undefined for an ordinary request.
import { SaveError, TOO_LONG } from '../errors.js';
import { decode, decodeValue, findParam, parseQuery, type QueryParam } from './query.js';

/** A save command, decoded. Its name is not yet checked. */
export interface SaveCommand {
  /** The value of `name=`, decoded, with its `$var$` replaced. */
  readonly name: string;
  /** The value of `timeout=` in milliseconds; undefined without one. */
  readonly timeout: number | undefined;
  /** The request's URL without `req`, `name` and `timeout`; every other byte as it was. */
  readonly rendererUrl: string;
}

/**
 * `=saveToFile` in any case, any of its letters possibly percent-encoded. Linear: each step has one way on. Both cases
 * are written out, because each request pays for this, and an expression that ignores case is slower.
 */
const SAVE_TO_FILE =
  /=(?:[sS]|%[57]3)(?:[aA]|%[46]1)(?:[vV]|%[57]6)(?:[eE]|%[46]5)(?:[tT]|%[57]4)(?:[oO]|%[46][fF])(?:[fF]|%[46]6)(?:[iI]|%[46]9)(?:[lL]|%[46][cC])(?:[eE]|%[46]5)/;

/** No file system takes a longer path, in characters. */
const MAX_NAME_LENGTH = 4096;

/** The parameters that the renderer does not get. */
const SAVE_PARAMS = new Set(['req', 'name', 'timeout']);

/**
 * Whether a URL may hold a save command: the one check that each ordinary request pays for, tens of nanoseconds. It is
 * never wrong when it says no; {@link parseCommand} confirms a yes.
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
  const params = parseQuery(url.slice(queryStart + 1));
  if (!params.some(isSaveToFile)) return undefined;
  checkReqOptions(findParam(params, 'req'));

  const kept = params.filter((param) => !SAVE_PARAMS.has(param.name)).map((param) => param.text);
  const query = kept.join('&');
  return {
    name: readName(params),
    timeout: readTimeout(findParam(params, 'timeout')),
    rendererUrl: url.slice(0, queryStart) + (query === '' ? '' : `?${query}`),
  };
}

function isSaveToFile({ name, rawValue }: QueryParam): boolean {
  if (name !== 'req') return false;
  const type = rawValue.split(/,|%2c/i, 1)[0] ?? '';
  return decode(type)?.toLowerCase() === 'savetofile';
}

function checkReqOptions(req: QueryParam | undefined): void {
  const value = decodeValue('req', req?.rawValue ?? '').toLowerCase();
  if (value !== 'savetofile' && value !== 'savetofile,text') throw new SaveError('unknown-req-option');
}

function readName(params: readonly QueryParam[]): string {
  const param = findParam(params, 'name');
  const name = decodeValue('name', param?.rawValue ?? '');
  if (param === undefined || name === '') throw new SaveError('name-missing');
  return substitute(name, params.slice(0, params.indexOf(param)));
}

function readTimeout(param: QueryParam | undefined): number | undefined {
  if (param === undefined) return undefined;
  const value = decodeValue('timeout', param.rawValue);
  if (!/^\d+$/.test(value) || Number(value) < 1) throw new SaveError('timeout-invalid');
  return Number(value);
}

/**
 * Replaces each `$var$` by the value of the latest earlier parameter `$var=value`. An undefined variable stays as it is,
 * and values are not searched for variables. (Image Serving, "Substitution variables".)
 */
function substitute(text: string, earlier: readonly QueryParam[]): string {
  const definitions = new Map(earlier.map((param) => [param.name, param.rawValue]));
  let result = '';
  let at = 0;
  for (;;) {
    const start = text.indexOf('$', at);
    const end = start < 0 ? -1 : text.indexOf('$', start + 1);
    if (end < 0) return result + text.slice(at);
    const name = text.slice(start, end).toLowerCase();
    const definition = name === '$' ? undefined : definitions.get(name);
    if (definition !== undefined) {
      result += text.slice(at, start) + decodeValue('name', definition);
      at = end + 1;
    } else {
      // The closing $ of an undefined variable may be the opening $ of the next one.
      result += text.slice(at, end);
      at = end;
    }
    // One long value that is named over and over must not become a name of megabytes.
    if (result.length > MAX_NAME_LENGTH) throw new SaveError('name-invalid', { rule: TOO_LONG });
  }
}
