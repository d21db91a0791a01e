// The options of `saveAll()` and of the program: their checks, their defaults and their usage.
import { validateHeaderName, validateHeaderValue } from 'node:http';
import { isIntegerBetween, MILLISECONDS, validateOptions } from '../validate-options.js';
import type { Rule, Rules } from '../validate-options.js';
import { UsageError, type SaveAllOptions } from './types.js';

/** Options that have been checked, with defaults filled in. */
export interface BatchSettings extends Pick<SaveAllOptions, 'timeout' | 'ledger' | 'signal'> {
  /** Scheme, host and port, without a slash at the end. */
  readonly server: string | undefined;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly concurrency: number;
  readonly retries: number;
  /** Counted from 1. */
  readonly shard: { readonly index: number; readonly count: number } | undefined;
}

const DEFAULTS = { concurrency: 8, retries: 5 };

/** An option of the program: its flags and its usage, as commander takes them, and its rule. */
export interface ProgramOption extends Rule {
  readonly flags: string;
  readonly usage: string;
  readonly kind?: 'number' | 'repeatable';
  readonly default?: number;
}

/** The rule of an option that is a number. */
export function wholeNumber(min: number, max: number): Rule & { readonly kind: 'number' } {
  const isValid = (value: unknown): boolean => isIntegerBetween(value, min, max);
  return { kind: 'number', expected: `a whole number from ${min} to ${max}`, isValid };
}

export const SHARED_OPTIONS: Readonly<Record<Exclude<keyof SaveAllOptions, 'signal'>, ProgramOption>> = {
  server: {
    flags: '--server <origin>',
    usage: 'the server of URLs that are paths: http://localhost:3000',
    expected: 'scheme, host and port alone, as in http://localhost:3000',
    isValid: (value) => typeof value === 'string' && parseServer(value) !== undefined,
  },
  header: {
    flags: '--header <line>',
    usage: "a header of every request: 'Authorization: Bearer …'",
    kind: 'repeatable',
    expected: "an object, or lines as in ['Authorization: Bearer …']",
    isValid: (value) =>
      typeof value === 'object' &&
      value !== null &&
      // A Map or a Headers shows nothing of what it holds.
      (Array.isArray(value) || !(Symbol.iterator in value)) &&
      Object.values(value).every((each) => typeof each === 'string'),
  },
  concurrency: {
    flags: '--concurrency <n>',
    usage: 'requests at once, at most',
    default: DEFAULTS.concurrency,
    ...wholeNumber(1, 1000),
  },
  retries: {
    flags: '--retries <n>',
    usage: 'further attempts after a failure that may pass',
    default: DEFAULTS.retries,
    ...wholeNumber(0, 100),
  },
  timeout: {
    flags: '--timeout <ms>',
    usage: 'milliseconds that the server may take, for jobs that set none',
    kind: 'number',
    ...MILLISECONDS,
  },
  ledger: {
    flags: '--ledger <file>',
    usage: 'a line for each job that has ended; a second run does only what is missing',
    expected: 'the path of a file, as in done.ndjson',
    isValid: (value) => typeof value === 'string' && value !== '',
  },
  shard: {
    flags: '--shard <part>',
    usage: 'only one part of the list: 2/4 is the second of four',
    expected: 'a part and the number of parts, as in 2/4',
    isValid: (value) => typeof value === 'string' && parseShard(value) !== undefined,
  },
};

const RULES: Rules<SaveAllOptions> = {
  ...SHARED_OPTIONS,
  signal: { expected: 'an AbortSignal', isValid: (value) => value instanceof AbortSignal },
};

/**
 * Checks the options and fills in the defaults.
 *
 * @throws TypeError An option is unknown or wrong; the message names the fix.
 */
export function checkBatchOptions(options: SaveAllOptions = {}): BatchSettings {
  validateOptions('saveAll', "saveAll(jobs, { server: 'http://localhost:3000' })", RULES, options);
  const { server, header = [], shard, concurrency, retries, ...others } = options;
  return {
    ...others,
    server: server === undefined ? undefined : parseServer(server),
    headers: readHeaders(header),
    concurrency: concurrency ?? DEFAULTS.concurrency,
    retries: retries ?? DEFAULTS.retries,
    shard: shard === undefined ? undefined : parseShard(shard),
  };
}

/** The origin of a server, or undefined where the text is not an origin alone. */
export function parseServer(text: string): string | undefined {
  const origin = /^https?:\/\/[^/?#@\s]+(?=\/?$)/i.exec(text)?.[0];
  return origin !== undefined && URL.canParse(origin) ? origin : undefined;
}

function parseShard(text: string): BatchSettings['shard'] {
  const [, index, count] = (/^([1-9]\d{0,5})\/([1-9]\d{0,5})$/.exec(text) ?? []).map(Number);
  return index === undefined || count === undefined || index > count ? undefined : { index, count };
}

function readHeaders(header: NonNullable<SaveAllOptions['header']>): BatchSettings['headers'] {
  const lines = Array.isArray(header) ? header.map(splitHeader) : Object.entries(header);
  const headers: Record<string, string | string[]> = {};
  for (const [name, value] of lines) {
    try {
      validateHeaderName(name);
      validateHeaderValue(name, value);
    } catch {
      throw new UsageError(
        `The header "${name}: ${value}" cannot be sent; write it as in 'Authorization: Bearer abc'`,
      );
    }
    const known = Object.keys(headers).find((key) => key.toLowerCase() === name.toLowerCase()) ?? name;
    const before = headers[known];
    // Node refuses two of them, as HTTP does.
    if (before !== undefined && known.toLowerCase() === 'host')
      throw new UsageError('A request has one Host: leave the other out');
    headers[known] = before === undefined ? value : [before, value].flat();
  }
  return headers;
}

function splitHeader(line: string): [name: string, value: string] {
  const colon = line.indexOf(':');
  if (colon < 1) throw new UsageError(`"${line}" is no header; write it as in 'Authorization: Bearer abc'`);
  return [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
}
