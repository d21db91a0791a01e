// The options of `saveAll()`: defaults and checks. The command has the same ones.
import { validateHeaderName, validateHeaderValue } from 'node:http';
import { isIntegerBetween, MILLISECONDS, validateOptions, type Rules } from '../validate-options.js';
import { UsageError, type SaveAllOptions } from './types.js';

export const DEFAULT_CONCURRENCY = 8;
export const DEFAULT_RETRIES = 5;
export const MAX_CONCURRENCY = 1000;
export const MAX_RETRIES = 100;

/** Options that have been checked, with defaults filled in. */
export interface BatchSettings {
  /** Scheme, host and port, without a slash at the end. */
  readonly server: string | undefined;
  /** A header that was given more than once has a list of values. */
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly concurrency: number;
  readonly retries: number;
  readonly timeout: number | undefined;
  readonly ledger: string | undefined;
  readonly shard: Shard | undefined;
  readonly signal: AbortSignal | undefined;
}

/** One part of a list that is split, counted from 1. */
export interface Shard {
  readonly index: number;
  readonly count: number;
}

const RULES: Rules<SaveAllOptions> = {
  server: {
    expected: 'scheme, host and port alone, as in http://localhost:3000',
    isValid: (value) => typeof value === 'string' && parseServer(value) !== undefined,
  },
  header: {
    expected: "an object, or lines as in ['Authorization: Bearer …']",
    isValid: (value) =>
      typeof value === 'object' &&
      value !== null &&
      Object.values(value).every((each) => typeof each === 'string'),
  },
  concurrency: {
    expected: `a whole number from 1 to ${MAX_CONCURRENCY}`,
    isValid: (value) => isIntegerBetween(value, 1, MAX_CONCURRENCY),
  },
  retries: {
    expected: `a whole number from 0 to ${MAX_RETRIES}`,
    isValid: (value) => isIntegerBetween(value, 0, MAX_RETRIES),
  },
  timeout: MILLISECONDS,
  ledger: { expected: 'the path of a file', isValid: (value) => typeof value === 'string' && value !== '' },
  shard: {
    expected: 'a part and the number of parts, as in 2/4',
    isValid: (value) => typeof value === 'string' && parseShard(value) !== undefined,
  },
  signal: { expected: 'an AbortSignal', isValid: (value) => value instanceof AbortSignal },
};

/**
 * Checks the options and fills in the defaults.
 *
 * @throws TypeError An option is unknown or wrong; the message names the fix.
 */
export function checkBatchOptions(options: SaveAllOptions = {}): BatchSettings {
  validateOptions('saveAll', "saveAll(jobs, { server: 'http://localhost:3000' })", RULES, options);
  return {
    server: options.server === undefined ? undefined : parseServer(options.server),
    headers: readHeaders(options.header ?? []),
    concurrency: options.concurrency ?? DEFAULT_CONCURRENCY,
    retries: options.retries ?? DEFAULT_RETRIES,
    timeout: options.timeout,
    ledger: options.ledger,
    shard: options.shard === undefined ? undefined : parseShard(options.shard),
    signal: options.signal,
  };
}

/** The origin of a server, or undefined where the text is not an origin alone. */
export function parseServer(text: string): string | undefined {
  const origin = /^https?:\/\/[^/?#@\s]+(?=\/?$)/i.exec(text)?.[0];
  return origin !== undefined && URL.canParse(origin) ? origin : undefined;
}

/** The part that a text such as `2/4` names, or undefined where it names none. */
export function parseShard(text: string): Shard | undefined {
  const [, index, count] = (/^([1-9]\d{0,5})\/([1-9]\d{0,5})$/.exec(text) ?? []).map(Number);
  return index === undefined || count === undefined || index > count ? undefined : { index, count };
}

function readHeaders(header: Readonly<Record<string, string>> | readonly string[]): BatchSettings['headers'] {
  const entries = Array.isArray(header)
    ? (header as readonly string[]).map(splitHeader)
    : Object.entries(header as Readonly<Record<string, string>>);
  const headers = new Map<string, string | string[]>();
  for (const [name, value] of entries) {
    try {
      validateHeaderName(name);
      validateHeaderValue(name, value);
    } catch {
      throw new UsageError(
        `The header "${name}: ${value}" cannot be sent; write it as in 'Authorization: Bearer abc'`,
      );
    }
    const known = [...headers.keys()].find((key) => key.toLowerCase() === name.toLowerCase());
    if (known === undefined) headers.set(name, value);
    // Node refuses two of them, as HTTP does.
    else if (known.toLowerCase() === 'host')
      throw new UsageError('A request has one Host: leave the other out');
    else headers.set(known, [headers.get(known) ?? [], value].flat());
  }
  return Object.fromEntries(headers);
}

function splitHeader(line: string): [name: string, value: string] {
  const colon = line.indexOf(':');
  if (colon < 1) throw new UsageError(`"${line}" is no header; write it as in 'Authorization: Bearer abc'`);
  return [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
}
