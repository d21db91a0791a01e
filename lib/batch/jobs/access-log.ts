// The images of an access log, each once, as Adobe's `playlog` warms a server; or its save commands.
import { createHash } from 'node:crypto';
import { decode, decodeEscapes, parseQuery, type QueryParam } from '../../protocol/query.js';
import { KeySet } from '../key-set.js';
import { isCommandParam } from '../prepare-job.js';
import { isSkipped, readLines, type TextSource } from '../text.js';
import { InvalidJob, type Entries } from '../types.js';
import { Template } from './templates.js';

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

/** How many lines of a log were what: taken, repeated, of the other kind, or neither images nor save commands. */
export type LogCounts = Map<string, number>;

/** Reads a log. Each distinct URL, or save command, is a job; the other lines are counted. */
export async function* readAccessLog(
  source: TextSource,
  options: AccessLogOptions,
  counts: LogCounts,
): Entries {
  const template = options.name === undefined ? undefined : new Template(options.name);
  const otherKind = template === undefined ? 'images' : 'save commands';
  for (const kind of ['taken', 'repeated', otherKind, 'other']) counts.set(kind, 0);
  const count = (kind: string): number => {
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
    return counts.get(kind) ?? 0;
  };
  const seen = new KeySet();
  for await (const line of readLines(source.read())) {
    if (isSkipped(line)) continue;
    const request = readRequest(line.text ?? '', options);
    if (request === undefined) count('other');
    else if ((request.command === undefined) !== (template !== undefined)) count(otherKind);
    else if (!seen.add(request.target, request.command?.name ?? '')) count('repeated');
    else {
      const [where, url] = [`${source.name}:${line.number}`, request.target];
      const number = count('taken');
      const get = (place: string): string | undefined => getValue(place, request, number);
      const missing = [...(template?.places ?? [])].find((place) => get(place) === undefined);
      const command = request.command ?? { name: template?.fill((place) => get(place) ?? '') };
      if (missing === undefined) yield { where, job: { url, ...command } };
      else yield { where, job: new InvalidJob(`its URL has no ${missing}=, which --name needs: ${url}`) };
    }
  }
}

/** `2 taken, 1 repeated, 2 save commands, 14 other` */
export function describeCounts(counts: LogCounts): string {
  return [...counts].map(([kind, count]) => `${count} ${kind}`).join(', ');
}

interface ImageRequest {
  readonly path: string;
  readonly params: readonly QueryParam[];
  /** Path and query, without a save command. */
  readonly target: string;
  readonly command?: { readonly name: string; readonly timeout?: number };
}

/** A GET of an image, or a save command; undefined where it is neither. */
function readRequest(line: string, { column, under }: AccessLogOptions): ImageRequest | undefined {
  const [request, status = '200'] = parseLine(line, column);
  const [, method = '', url = ''] = /^([A-Z]+) (\S+)(?: HTTP\/[\d.]+)?$/.exec(request) ?? [];
  const [, path = '', query = ''] = /^(?:https?:\/\/[^/?#]*)?(\/[^?#]*)(?:\?([^#]*))?/i.exec(url) ?? [];
  if (path === '' || !path.startsWith(under)) return undefined;
  const all = query === '' ? [] : parseQuery(query);
  const params = all.filter((param) => !isCommandParam(param));
  const text = params.map((param) => param.text).join('&');
  const image = { path, params, target: text === '' ? path : `${path}?${text}` };
  const command = all.filter(isCommandParam).map((param) => [param.name, decode(param.rawValue)] as const);
  if (command.length === 0) return method === 'GET' && /^(?:[0-2]|304)/.test(status) ? image : undefined;
  const { req, name, timeout } = Object.fromEntries(command) as Record<string, string | undefined>;
  // What a server refuses in any case: a parameter twice, another req=, no name, another method.
  if (new Set(command.map(([key]) => key)).size < command.length) return undefined;
  if (!/^savetofile(?:,text)?$/i.test(req ?? '') || name === undefined || name === '') return undefined;
  if (method !== 'GET' && method !== 'POST') return undefined;
  return { ...image, command: timeout === undefined ? { name } : { name, timeout: Number(timeout) } };
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

const EXTENSIONS: Readonly<Record<string, string>> = { jpeg: 'jpg', pjpeg: 'jpg', tiff: 'tif' };

/** `fmt=png-alpha,rgb` → `png`. Without it, that of the path, or that of Image Serving's default format. */
function findExtension(format: string | undefined, file: string): string {
  const [, inPath] = /\.(jpe?g|png|webp|gif|tiff?|avif)$/i.exec(file) ?? [];
  const [value = 'jpg'] = /^[a-z\d]+/.exec((format ?? inPath ?? 'jpg').toLowerCase()) ?? [];
  return EXTENSIONS[value] ?? value;
}

/** As in `GET /shoe HTTP/1.1`. */
type LoggedRequest = readonly [request: string, status: string | undefined];

function parseLine(line: string, column: number | undefined): LoggedRequest {
  if (column !== undefined) {
    const url = line.trim().split(/\s+/)[column - 1]?.replace(/^"|"$/g, '');
    return [`GET ${unescape(url ?? '')}`, undefined];
  }
  if (line.startsWith('{')) return parseJson(line);
  const [, request = '', status] = /\] "((?:[^"\\]|\\.)*)"(?: (\d{3})\b)?/.exec(line) ?? [];
  return [unescape(request), status];
}

/** JSON as nginx writes it (its variables under names of the operator's choice) and Caddy (`request` is an object). */
function parseJson(line: string): LoggedRequest {
  let entry: Record<string, unknown>;
  try {
    entry = JSON.parse(line) as Record<string, unknown>;
  } catch {
    return ['', undefined];
  }
  const { request } = entry;
  const status = /^\d{3}$/.exec(String(entry['status']))?.[0];
  if (typeof request === 'string') return [request, status];
  const fields = { ...entry, ...(request as object | null | undefined) } as Record<string, unknown>;
  const find = (...names: readonly string[]): string =>
    names.map((name) => fields[name]).find((value): value is string => typeof value === 'string') ?? '';
  // Where nginx logs both, its `uri` is decoded and has no query.
  const [method, url] = [find('method', 'request_method'), find('request_uri', 'uri', 'url', 'path')];
  const args = find('args', 'query_string', 'query');
  return [`${method} ${args === '' || url.includes('?') ? url : `${url}?${args}`}`, status];
}

/** nginx and Apache write what is not ASCII, and quotes, with a backslash. */
function unescape(text: string): string {
  return text.replace(/\\(?:x([\dA-F]{2})|(.))/gi, (_all, hex: string | undefined, character: string) => {
    if (hex === undefined) return character;
    const byte = parseInt(hex, 16);
    return byte > 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `%${hex.toUpperCase()}`;
  });
}
