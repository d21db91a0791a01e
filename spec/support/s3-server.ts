// An S3 store in memory, for specs that need no real one: the requests of s3Store over real connections.
import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage, Server } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { start, type Handler } from './host.js';

/** A request as it arrived. */
export interface S3ServerRequest {
  /** Method and URL, such as `PUT /renders/a.png?x-id=PutObject`. */
  readonly line: string;
  readonly headers: IncomingHttpHeaders;
}

interface StoredObject {
  readonly body: Buffer;
  readonly headers: Record<string, string>;
}

interface Upload {
  readonly key: string;
  readonly headers: Record<string, string>;
  readonly parts: Map<number, Buffer>;
}

interface Reply {
  readonly status: number;
  readonly headers?: Record<string, string>;
  readonly body?: string | Buffer;
}

export class S3Server {
  readonly requests: S3ServerRequest[] = [];
  /** The objects of all buckets, by `/bucket/key`. */
  readonly objects = new Map<string, StoredObject>();
  /** The uploads in parts that are neither completed nor aborted. */
  readonly uploads = new Map<string, Upload>();
  /** Replaces the answer to a request by a status, or by an answer. */
  intercept: (request: S3ServerRequest) => number | Reply | undefined = () => undefined;
  url = '';
  #server!: Server;
  readonly #clients: S3Client[] = [];
  #created = 0;

  static async start(): Promise<S3Server> {
    const server = new S3Server();
    const answer: Handler = async (req, res) => {
      const { status, headers, body = '' } = server.#handle(req, await buffer(req));
      res.writeHead(status, headers).end(req.method === 'HEAD' ? undefined : body);
    };
    ({ url: server.url, server: server.#server } = await start([answer], 'http.createServer'));
    return server;
  }

  /** A client of this server, destroyed when it stops. Without retries. */
  client(config: S3ClientConfig = {}): S3Client {
    const client = new S3Client({
      endpoint: this.url,
      region: 'us-east-1',
      forcePathStyle: true,
      credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
      maxAttempts: 1,
      ...config,
    });
    this.#clients.push(client);
    return client;
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.destroy();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #handle(req: IncomingMessage, body: Buffer): Reply {
    const request = { line: `${req.method} ${req.url}`, headers: req.headers };
    this.requests.push(request);
    const instead = this.intercept(request);
    if (instead !== undefined) return typeof instead === 'number' ? { status: instead } : instead;
    const { pathname, searchParams } = new URL(req.url!, 'http://localhost');
    const key = decodeURIComponent(pathname);
    if (key.split('/').filter(Boolean).length === 1) return { status: 200 };
    const uploadId = searchParams.get('uploadId');
    if (req.method === 'POST' && searchParams.has('uploads')) return this.#createUpload(key, req.headers);
    if (uploadId !== null) return this.#handleUpload(req, uploadId, body, searchParams);
    if (req.method === 'PUT') return this.#put(key, req.headers, { body, headers: keptHeaders(req.headers) });
    return this.#get(key);
  }

  /** Answers a `GET` or a `HEAD`. */
  #get(key: string): Reply {
    const object = this.objects.get(key);
    if (object === undefined) return { status: 404 };
    const { headers, body } = object;
    return { status: 200, headers: { ...headers, 'content-length': String(body.length) }, body };
  }

  #put(key: string, headers: IncomingHttpHeaders, object: StoredObject): Reply {
    if (headers['if-none-match'] === '*' && this.objects.has(key)) return { status: 412 };
    const date = new Date().toUTCString();
    this.objects.set(key, { ...object, headers: { ...object.headers, 'last-modified': date } });
    return { status: 200, headers: { etag: etagOf(object.body) } };
  }

  #createUpload(key: string, headers: IncomingHttpHeaders): Reply {
    const id = String((this.#created += 1));
    this.uploads.set(id, { key, headers: keptHeaders(headers), parts: new Map() });
    const body = `<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`;
    return { status: 200, body };
  }

  #handleUpload(req: IncomingMessage, id: string, body: Buffer, query: URLSearchParams): Reply {
    const upload = this.uploads.get(id);
    if (upload === undefined) return { status: 404, body: '<Error><Code>NoSuchUpload</Code></Error>' };
    if (req.method === 'PUT') {
      upload.parts.set(Number(query.get('partNumber')), body);
      return { status: 200, headers: { etag: etagOf(body) } };
    }
    this.uploads.delete(id);
    if (req.method === 'DELETE') return { status: 204 };
    const parts = [...upload.parts].sort(([a], [b]) => a - b).map(([, part]) => part);
    const { status } = this.#put(upload.key, req.headers, {
      body: Buffer.concat(parts),
      headers: upload.headers,
    });
    return { status, body: status === 200 ? '<CompleteMultipartUploadResult/>' : '' };
  }
}

/** The headers that an object keeps. */
function keptHeaders(headers: IncomingHttpHeaders): Record<string, string> {
  const kept = Object.entries(headers).filter(([name]) =>
    /^(?:content-type|cache-control|x-amz-(?:meta-.*|storage-class|tagging))$/.test(name),
  );
  return Object.fromEntries(kept) as Record<string, string>;
}

function etagOf(body: Buffer): string {
  return `"${createHash('md5').update(body).digest('hex')}"`;
}
