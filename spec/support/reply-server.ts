// A server that replies to save commands as a spec says, and remembers what it was sent.
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import { start, type Handler } from './host.js';

export interface Received {
  readonly url: string;
  /** The value of `name=`. */
  readonly name: string;
  readonly headers: IncomingHttpHeaders;
  /** How many requests had this name, this one included. */
  readonly count: number;
}

export interface ReplyServer {
  readonly origin: string;
  readonly requests: Received[];
  /** The most requests that were open at once. */
  readonly maxOpen: () => number;
}

/** Starts a server; `stopAll` of host.ts stops it. */
export async function startReplyServer(
  reply: (request: Received, res: ServerResponse) => void = (_request, res) => {
    sendDone(res);
  },
): Promise<ReplyServer> {
  const requests: Received[] = [];
  const counts = new Map<string, number>();
  let [open, most] = [0, 0];
  const host: Handler = (req, res) => {
    const { url = '', headers } = req;
    const name = new URL(url, 'http://x').searchParams.get('name') ?? '';
    counts.set(name, (counts.get(name) ?? 0) + 1);
    const request = { url, name, headers, count: counts.get(name) ?? 0 };
    requests.push(request);
    most = Math.max(most, ++open);
    res.once('close', () => open--);
    reply(request, res);
  };
  const { url } = await start([host], 'http.createServer');
  return { origin: url, requests, maxOpen: () => most };
}

/** A body in the form of `java.util.Properties`. */
export function formatBody(verdict: 'OK' | 'ERROR', properties: Record<string, string | number>): string {
  const lines = Object.entries(properties).map(([key, value]) => `${key}=${value}`);
  return [`#S7Z ${verdict}`, '#Sun Nov 22 14:11:23 UTC 2026', ...lines, ''].join('\n');
}

export const DONE = formatBody('OK', {
  ...{ status: 'done', lastUpdated: 1_795_356_683_202, pixelsTotal: 12, name: 'x.png' },
  ...{ 'image.width': 4, 'image.height': 3, 'image.type': 'image/png', 'image.length': 100 },
});

export function sendDone(res: ServerResponse): void {
  res.writeHead(200, { 'Content-Type': 'text/plain' }).end(DONE);
}

/** Sends an error of ours. */
export function sendError(
  res: ServerResponse,
  code: string,
  { retry = false, retryAfter }: { retry?: boolean; retryAfter?: number } = {},
): void {
  const properties = { status: 'failed', 'error.code': code, 'error.message': `Mend ${code}.` };
  res.writeHead(403, {
    'Content-Type': 'text/plain',
    ...(retryAfter === undefined ? {} : { 'Retry-After': retryAfter }),
  });
  res.end(formatBody('ERROR', retry ? { ...properties, 'error.retry': 'true' } : properties));
}
