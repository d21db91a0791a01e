// The images of an access log, each once: as Adobe's `playlog` warms a server.
import { createHash } from 'node:crypto';
import { decode, decodeEscapes, parseQuery } from '../../protocol/query.js';
import { findCommandParam } from '../save-url.js';
import { KeySet } from '../key-set.js';
import type { JobEntry } from '../prepare-job.js';
import { MAX_LINE_LENGTH, readLines } from '../read-lines.js';
import { InvalidJob } from '../types.js';
import { isSkipped, type TextSource } from './lines.js';
import { Template } from './template.js';

export interface AccessLogOptions {
  /** Places: `{path}`, `{file}`, `{hash}`, `{n}`, and the name of any parameter. */
  readonly name: string;
  /** The column that holds the URL, counted from 1 at white space. Otherwise the log has the common or combined format. */
  readonly column: number | undefined;
}

/**
 * Reads the GET requests of a log. Requests that are no GET, or have a `req=` of their own, are left out, and so is each
 * URL that has come before.
 */
export async function* readAccessLog(
  source: TextSource,
  options: AccessLogOptions,
): AsyncGenerator<JobEntry | InvalidJob, void, undefined> {
  const template = new Template(options.name);
  const [urls, names] = [new KeySet(), new KeySet()];
  for await (const line of readLines(source.open())) {
    if (isSkipped(line)) continue;
    const where = `${source.name}:${line.number}`;
    if (line.text === undefined) {
      yield new InvalidJob(where, `it is longer than ${MAX_LINE_LENGTH} characters`);
      continue;
    }
    const url = options.column === undefined ? findRequest(line.text) : findColumn(line.text, options.column);
    if (url === 'another method') continue;
    const [, path = '', query = ''] =
      /^(?:https?:\/\/[^/?#]*)?(\/[^?#]*)(?:\?([^#]*))?/i.exec(url ?? '') ?? [];
    if (path === '') {
      yield new InvalidJob(where, describeFormat(options.column));
      continue;
    }
    if (findCommandParam(query) !== undefined) continue;
    const target = query === '' ? path : `${path}?${query}`;
    if (!urls.add(target)) continue;
    yield nameJob(where, template, { path, query, target, number: urls.size }, names);
  }
}

interface LoggedUrl {
  readonly path: string;
  readonly query: string;
  /** Both. */
  readonly target: string;
  /** Counted from 1, without those that came before. */
  readonly number: number;
}

function nameJob(where: string, template: Template, url: LoggedUrl, names: KeySet): JobEntry | InvalidJob {
  const missing = template.names.find((place) => getValue(place, url) === undefined);
  if (missing !== undefined)
    return new InvalidJob(where, `its URL has no ${missing}=, which --name needs: ${url.target}`);
  const name = template.fill((place) => getValue(place, url) ?? '');
  if (names.add(name)) return { where, job: { url: url.target, name } };
  return new InvalidJob(where, `another URL has the name ${name} already: add {hash} to --name`);
}

/** What a place of `--name` stands for, decoded; undefined where the URL does not have it. */
function getValue(place: string, { path, query, target, number }: LoggedUrl): string | undefined {
  if (place === 'n') return String(number);
  if (place === 'hash') return createHash('sha256').update(target).digest('hex').slice(0, 12);
  const plain = decodeEscapes(path) ?? path;
  if (place === 'path') return plain.slice(1);
  if (place === 'file') return plain.slice(plain.lastIndexOf('/') + 1);
  const param = parseQuery(query).find(({ name }) => name === place.toLowerCase());
  return param === undefined ? undefined : (decode(param.rawValue) ?? param.rawValue);
}

/** The URL of a GET request; undefined where the line is not of a log. */
function findRequest(line: string): string | undefined {
  const [, request] = /\] "((?:[^"\\]|\\.)*)"/.exec(line) ?? [];
  if (request === undefined) return undefined;
  // A request that could not be read, such as a TLS handshake, is logged as - or as its bytes.
  return /^GET (\S+)(?: HTTP\/[\d.]+)?$/.exec(request)?.[1] ?? 'another method';
}

function findColumn(line: string, column: number): string | undefined {
  return line.trim().split(/\s+/)[column - 1]?.replace(/^"|"$/g, '');
}

function describeFormat(column: number | undefined): string {
  return column === undefined
    ? 'it is no line of a log in the common or combined format: name the column of the URL with --column'
    : `its column ${column} is no URL`;
}
