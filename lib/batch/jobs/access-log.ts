// The images of an access log, each once, as Adobe's `playlog` warms a server; or its save commands.
import { createHash } from 'node:crypto';
import { decode, decodeEscapes, parseQuery, type QueryParam } from '../../protocol/query.js';
import { KeySet } from '../key-set.js';
import type { JobEntry } from '../prepare-job.js';
import { readLines } from '../read-lines.js';
import { isCommandParam } from '../save-url.js';
import { InvalidJob } from '../types.js';
import { Template } from './template.js';
import { isSkipped, type TextSource } from './text.js';

export interface AccessLogOptions {
  /**
   * Places: `{path}`, `{file}`, `{ext}`, `{hash}`, `{n}`, and the name of any parameter. Undefined takes the save
   * commands of the log instead, with their names and timeouts.
   */
  readonly name: string | undefined;
  /** The column that holds the URL, counted from 1 at white space. Otherwise the log has a common format, or is JSON. */
  readonly column: number | undefined;
  /** Only requests whose path begins with this. */
  readonly under: string;
}

/** What the lines of a log were. */
export class LogCounts {
  readonly kindName: string;
  readonly #otherKindName: string;
  taken = 0;
  repeated = 0;
  /** Images where save commands are taken, otherwise save commands. */
  otherKind = 0;
  /** No GET of an image: other methods, refused requests, requests that no server could read. */
  other = 0;

  constructor(takesSaves: boolean) {
    const kinds = ['images', 'save commands'] as const;
    [this.kindName, this.#otherKindName] = takesSaves ? [kinds[1], kinds[0]] : kinds;
  }

  /** `2 taken, 1 repeated, 2 save commands, 14 other` */
  toString(): string {
    return `${this.taken} taken, ${this.repeated} repeated, ${this.otherKind} ${this.#otherKindName}, ${this.other} other`;
  }
}

/** A request in a log. */
interface LoggedRequest {
  readonly method: string;
  readonly url: string;
  /** Undefined where the log has none. */
  readonly status: number | undefined;
}

/** Image Serving's default for requests without `fmt=`. */
const DEFAULT_EXTENSION = 'jpg';

/** The value of `fmt=`, without its options → the extension, where they differ. */
const EXTENSIONS: ReadonlyMap<string, string> = new Map([
  ...(['jpeg', 'pjpeg'] as const).map((format) => [format, 'jpg'] as const),
  ['tiff', 'tif'],
]);

/** Reads a log. Each distinct URL, or save command, is a job; the other lines are counted. */
export async function* readAccessLog(
  source: TextSource,
  { name, column, under }: AccessLogOptions,
  counts: LogCounts,
): AsyncGenerator<JobEntry | InvalidJob, void, undefined> {
  const template = name === undefined ? undefined : new Template(name);
  const seen = new KeySet();
  for await (const line of readLines(source.read())) {
    if (isSkipped(line)) continue;
    const where = `${source.name}:${line.number}`;
    const logged = line.text === undefined ? undefined : parseLine(line.text, column);
    const request = logged === undefined ? undefined : readRequest(logged, under);
    if (request === undefined) counts.other++;
    else if (request.isSave !== (template === undefined)) counts.otherKind++;
    else if (!seen.add(request.target, request.name ?? '')) counts.repeated++;
    else {
      counts.taken++;
      const { target, name: savedAs, timeout } = request;
      yield template === undefined
        ? { where, job: { url: target, name: savedAs, ...(timeout === undefined ? {} : { timeout }) } }
        : nameJob(where, template, request, counts.taken);
    }
  }
}

/** A GET of an image, or a save command. */
interface ImageRequest {
  readonly path: string;
  readonly params: readonly QueryParam[];
  /** Path and query, without a save command. */
  readonly target: string;
  readonly isSave: boolean;
  /** Of a save command. */
  readonly name?: string | undefined;
  readonly timeout?: number | undefined;
}

/** Undefined where it is neither an image nor a save command. */
function readRequest({ method, url, status = 200 }: LoggedRequest, under: string): ImageRequest | undefined {
  const [, path = '', query] = /^(?:https?:\/\/[^/?#]*)?(\/[^?#]*)(?:\?([^#]*))?/i.exec(url) ?? [];
  if (path === '' || !path.startsWith(under)) return undefined;
  const all = query === undefined || query === '' ? [] : parseQuery(query);
  const params = all.filter((param) => !isCommandParam(param));
  const text = params.map((param) => param.text).join('&');
  const image = { path, params, target: text === '' ? path : `${path}?${text}` };
  const command = all.filter(isCommandParam).map((param) => [param.name, decode(param.rawValue)] as const);
  if (command.length === 0)
    return method === 'GET' && (status < 300 || status === 304) ? { ...image, isSave: false } : undefined;
  const { req, name, timeout } = Object.fromEntries(command) as Record<string, string | undefined>;
  // What a server refuses in any case: a parameter twice, another req=, no name.
  const isSave = /^savetofile(?:,text)?$/i.test(req ?? '') && name !== undefined && name !== '';
  if (!isSave || new Set(command.map(([key]) => key)).size < command.length) return undefined;
  if (method !== 'GET' && method !== 'POST') return undefined;
  return { ...image, isSave, name, timeout: timeout === undefined ? undefined : Number(timeout) };
}

function nameJob(
  where: string,
  template: Template,
  request: ImageRequest,
  number: number,
): JobEntry | InvalidJob {
  const get = (place: string): string | undefined => getValue(place, request, number);
  const missing = template.names.find((place) => get(place) === undefined);
  if (missing !== undefined)
    return new InvalidJob(where, `its URL has no ${missing}=, which --name needs: ${request.target}`);
  return { where, job: { url: request.target, name: template.fill((place) => get(place) ?? '') } };
}

/** What a place of `--name` stands for, decoded; undefined where the URL does not have it. */
function getValue(place: string, { path, params, target }: ImageRequest, number: number): string | undefined {
  if (place === 'n') return String(number);
  // 64 bits: two of a million URLs get the same with a probability of 1 to 37 million.
  if (place === 'hash') return createHash('sha256').update(target).digest('hex').slice(0, 16);
  const plain = decodeEscapes(path) ?? path;
  const file = plain.slice(plain.lastIndexOf('/') + 1);
  if (place === 'path') return plain.slice(1);
  if (place === 'file') return file;
  const param = params.find(({ name }) => name === (place === 'ext' ? 'fmt' : place.toLowerCase()));
  const value = param === undefined ? undefined : (decode(param.rawValue) ?? param.rawValue);
  return place === 'ext' ? findExtension(value, file) : value;
}

/** `fmt=png-alpha,rgb` → `png`. A path may end in the extension of an image, as that of a file does. */
function findExtension(format: string | undefined, file: string): string {
  const named = /\.(jpe?g|png|webp|gif|tiff?|avif)$/i.exec(file)?.[1];
  const [value] = /^[a-z\d]+/i.exec(format ?? named ?? DEFAULT_EXTENSION) ?? [DEFAULT_EXTENSION];
  return EXTENSIONS.get(value.toLowerCase()) ?? value.toLowerCase();
}

/** The request of a line; undefined where there is none. */
function parseLine(line: string, column: number | undefined): LoggedRequest | undefined {
  if (column !== undefined) {
    const url = line.trim().split(/\s+/)[column - 1]?.replace(/^"|"$/g, '');
    return url === undefined ? undefined : { method: 'GET', url: unescape(url), status: undefined };
  }
  if (line.startsWith('{')) return parseJson(line);
  const [, request, status] = /\] "((?:[^"\\]|\\.)*)"(?: (\d{3})\b)?/.exec(line) ?? [];
  return request === undefined ? undefined : parseRequest(unescape(request), status);
}

function parseRequest(request: string, status: string | undefined): LoggedRequest | undefined {
  const [, method = '', url = ''] = /^([A-Z]+) (\S+)(?: HTTP\/[\d.]+)?$/.exec(request) ?? [];
  return url === '' ? undefined : { method, url, status: status === undefined ? undefined : Number(status) };
}

/** JSON as nginx writes it (its variables under names of the operator's choice) and Caddy (`request` is an object). */
function parseJson(line: string): LoggedRequest | undefined {
  let entry: Record<string, unknown>;
  try {
    entry = JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined;
  }
  const status = /^\d{3}$/.exec(String(entry['status']))?.[0];
  const { request } = entry;
  if (typeof request === 'string') return parseRequest(request, status);
  const fields = (typeof request === 'object' && request !== null ? request : entry) as Record<
    string,
    unknown
  >;
  const find = (...names: readonly string[]): string | undefined =>
    names.map((name) => fields[name]).find((value): value is string => typeof value === 'string');
  const [method, url] = [find('method', 'request_method'), find('uri', 'request_uri', 'url', 'path')];
  const args = find('args', 'query_string', 'query');
  if (method === undefined || url === undefined) return undefined;
  const target = args === undefined || args === '' || url.includes('?') ? url : `${url}?${args}`;
  return { method, url: target, status: status === undefined ? undefined : Number(status) };
}

/** nginx and Apache write what is not ASCII, and quotes, with a backslash. */
function unescape(text: string): string {
  return text.replace(/\\(?:x([\dA-F]{2})|(.))/gi, (_all, hex: string | undefined, character: string) => {
    if (hex === undefined) return character;
    const byte = parseInt(hex, 16);
    return byte > 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `%${hex.toUpperCase()}`;
  });
}
