// Sends one save command and follows it to its end.
//
// With `node:http` and not with `fetch`: `fetch` gives up after 300 seconds without headers, while a save may take ten
// minutes, and it changes some bytes of a URL.
import * as http from 'node:http';
import * as https from 'node:https';
import { MAX_TIMEOUT_MS } from '../validate-options.js';
import type { BatchRequest } from './save-url.js';
import { readConnectionError, readResponse, type Outcome } from './outcome.js';

/** A host that takes no connection for so long cannot be reached, in milliseconds. */
const CONNECT_TIMEOUT_MS = 10_000;

/** The longest time that a server of ours takes unless its operator allows more, in milliseconds. */
const MAX_SERVER_TIMEOUT_MS = 600_000;

/** How much later than its own deadline a server may reply, in milliseconds. */
const REPLY_GRACE_MS = 30_000;

/** A reply is a few hundred bytes long. What is longer is none. */
const MAX_REPLY_BYTES = 65_536;

/** Sends save commands over connections that stay open. */
export class SaveClient {
  readonly #http = new http.Agent({ keepAlive: true });
  readonly #https = new https.Agent({ keepAlive: true });
  readonly #headers: http.OutgoingHttpHeaders;
  readonly #running = new Set<http.ClientRequest>();
  readonly #origins = new Map<string, Pick<http.RequestOptions, 'protocol' | 'hostname' | 'port'>>();
  #isClosed = false;

  constructor(headers: http.OutgoingHttpHeaders) {
    this.#headers = { 'User-Agent': 'express-image-save', ...headers };
  }

  /** Never rejects: what goes wrong is in the outcome. */
  async save(request: BatchRequest): Promise<Outcome> {
    try {
      return await this.#send(request);
    } catch (error) {
      return readConnectionError(error as NodeJS.ErrnoException, request.origin);
    }
  }

  /** Breaks off the requests that are running, and closes all connections. */
  close(): void {
    this.#isClosed = true;
    for (const req of this.#running) req.destroy();
    this.#http.destroy();
    this.#https.destroy();
  }

  #send(request: BatchRequest, again = true): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      const options = this.#getOrigin(request.origin);
      const isTls = options.protocol === 'https:';
      const req = (isTls ? https : http).request({
        ...options,
        path: request.path,
        headers: this.#headers,
        agent: isTls ? this.#https : this.#http,
      });
      const timer = setTimeout(
        () => {
          req.destroy(Object.assign(new Error('no reply'), { code: 'NO_REPLY' }));
        },
        // Node takes a longer delay for 1 ms.
        Math.min((request.timeout ?? MAX_SERVER_TIMEOUT_MS) + REPLY_GRACE_MS, MAX_TIMEOUT_MS),
      );
      this.#running.add(req);
      const stop = (): void => {
        clearTimeout(timer);
        this.#running.delete(req);
      };
      const finish = (outcome: Outcome): void => {
        stop();
        resolve(outcome);
      };
      const fail = (error: NodeJS.ErrnoException): void => {
        stop();
        // The server closed an idle connection just as the request went out. (Node's documentation of `reusedSocket`.)
        // A request that `close` broke off ends with the same error.
        const isIdleClose = req.reusedSocket && error.code === 'ECONNRESET' && !this.#isClosed;
        if (again && isIdleClose) resolve(this.#send(request, false));
        else reject(error);
      };
      limitConnecting(req);
      req.on('error', fail);
      req.once('response', (res) => {
        collect(res, finish, fail);
      });
      req.end();
    });
  }

  /** Parsed once for all jobs of a server. */
  #getOrigin(origin: string): Pick<http.RequestOptions, 'protocol' | 'hostname' | 'port'> {
    let parsed = this.#origins.get(origin);
    if (parsed === undefined) {
      const { protocol, hostname, port } = new URL(origin);
      // Node takes an IPv6 address without its brackets.
      parsed = { protocol, hostname: hostname.replace(/^\[(.*)\]$/, '$1'), port };
      this.#origins.set(origin, parsed);
    }
    return parsed;
  }
}

function limitConnecting(req: http.ClientRequest): void {
  req.once('socket', (socket) => {
    if (!socket.connecting) return;
    const timer = setTimeout(() => {
      req.destroy(Object.assign(new Error('no connection'), { code: 'ETIMEDOUT' }));
    }, CONNECT_TIMEOUT_MS);
    const stop = (): void => {
      clearTimeout(timer);
    };
    socket.once('connect', stop).once('close', stop);
  });
}

/** Reads the reply, and no more of anything else than it takes to see that it is none. */
function collect(
  res: http.IncomingMessage,
  finish: (outcome: Outcome) => void,
  fail: (error: NodeJS.ErrnoException) => void,
): void {
  let text = '';
  const end = (): void => {
    const { headers, statusCode = 0 } = res;
    finish(
      readResponse({
        ...{ status: statusCode, text },
        contentType: (headers['content-type'] ?? '').toLowerCase(),
        retryAfter: headers['retry-after'],
        location: headers.location,
      }),
    );
  };
  // The reply is ASCII.
  res.setEncoding('latin1').on('data', (chunk: string) => {
    text += chunk;
    if (text.length <= MAX_REPLY_BYTES) return;
    res.removeAllListeners('data');
    end();
    // An image can be large, and it is not wanted.
    res.destroy();
  });
  res.once('end', end);
  res.once('error', fail);
}
