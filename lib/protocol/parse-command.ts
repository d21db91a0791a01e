// The request's URL → whether it has a save command, the command, and the URL for the renderer.
import { SaveError, TOO_LONG } from '../errors.js';
import { decode, decodePath, decodeValue, findParam, parseQuery, type QueryParam } from './query.js';

/** A save command, decoded. */
export interface SaveCommand {
  /** With its `$var$` replaced, not yet checked. */
  readonly name: string;
  /** Milliseconds. */
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

/** The parameters that the renderer does not get. */
const SAVE_PARAMS = new Set(['req', 'name', 'timeout']);

/** No file system takes a longer path, in characters. */
const MAX_VALUE_LENGTH = 4096;

/** Whether a URL has `req=saveToFile`. Ordinary requests pay for one regular expression, never wrong when it says no. */
export function hasSaveCommand(url: string): boolean {
  return SAVE_TO_FILE.test(url) && splitUrl(url).params.some(isSaveToFile);
}

/** Reads the command of a URL that has one, still encoded. @throws SaveError It does not name one file and one deadline. */
export function parseCommand(url: string): SaveCommand {
  const { path, params } = splitUrl(url);
  checkReqOptions(findParam(params, 'req'));
  const kept = params.filter((param) => !SAVE_PARAMS.has(param.name)).map((param) => param.text);
  const query = kept.join('&');
  return {
    name: readName(params, path),
    timeout: readTimeout(params),
    rendererUrl: path + (query === '' ? '' : `?${query}`),
  };
}

function splitUrl(url: string): { readonly path: string; readonly params: QueryParam[] } {
  const queryStart = url.indexOf('?');
  if (queryStart < 0) return { path: url, params: [] };
  return { path: url.slice(0, queryStart), params: parseQuery(url.slice(queryStart + 1)) };
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

function readName(params: readonly QueryParam[], path: string): string {
  const param = findParam(params, 'name');
  if (param === undefined || param.rawValue === '') throw new SaveError('name-missing');
  const name = substitute(params, param, () => decodePath(path));
  if (name === undefined) throw new SaveError('name-invalid', { rule: TOO_LONG });
  return name;
}

function readTimeout(params: readonly QueryParam[]): number | undefined {
  const param = findParam(params, 'timeout');
  if (param === undefined) return undefined;
  const value = substitute(params, param) ?? '';
  if (!/^\d+$/.test(value) || Number(value) < 1) throw new SaveError('timeout-invalid');
  return Number(value);
}

/**
 * Decodes the value of a parameter and replaces each `$var$` by the latest earlier one, in one pass: values are not
 * searched for variables. An undefined variable stays as it is. (Image Serving, "Substitution variables".)
 *
 * @param readObject The value of `$object$` where no parameter gives it one.
 * @returns Undefined where one long value, named over and over, makes a text too long for any use.
 */
function substitute(
  params: readonly QueryParam[],
  param: QueryParam,
  readObject?: () => string,
): string | undefined {
  const text = decodeValue(param.name, param.rawValue);
  const earlier = params.slice(0, params.indexOf(param));
  const rawValues = new Map(earlier.map(({ name, rawValue }) => [name, rawValue]));
  const read = (variable: string): string | undefined => {
    const rawValue = rawValues.get(variable);
    if (rawValue !== undefined && variable !== '$') return decodeValue(variable, rawValue);
    return variable === '$object' ? readObject?.() : undefined;
  };
  let result = '';
  let at = 0;
  for (;;) {
    const start = text.indexOf('$', at);
    const end = start < 0 ? -1 : text.indexOf('$', start + 1);
    if (end < 0) return result + text.slice(at);
    const value = read(text.slice(start, end).toLowerCase());
    // The closing $ of an undefined variable may be the opening $ of the next one.
    result += value === undefined ? text.slice(at, end) : text.slice(at, start) + value;
    at = value === undefined ? end : end + 1;
    if (result.length > MAX_VALUE_LENGTH) return undefined;
  }
}
