// A plain client: no decoding, no redirects, no extra headers.
import { Agent, request, type IncomingHttpHeaders, type RequestOptions } from 'node:http';
import { parseReply, type SaveReply } from '../../lib/index.js';

export interface Answer {
  readonly status: number;
  readonly statusMessage: string;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: string[];
  readonly body: Buffer;
  readonly reply: SaveReply;
}

/** Sends one request, on a connection of its own unless an agent is given, and reads the whole answer. */
export async function get(url: string, options: RequestOptions & { body?: string } = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const req = request(url, { agent: new Agent(), ...options }, (res) => {
      const chunks: Buffer[] = [];
      res.on('data', (chunk: Buffer) => chunks.push(chunk));
      res.on('error', reject);
      res.on('end', () => {
        const body = Buffer.concat(chunks);
        resolve({
          status: res.statusCode ?? 0,
          statusMessage: res.statusMessage ?? '',
          headers: res.headers,
          rawHeaders: res.rawHeaders,
          body,
          get reply() {
            return parseReply(body.toString('latin1'));
          },
        });
      });
    });
    req.on('error', reject);
    req.end(options.body);
  });
}
