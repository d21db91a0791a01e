// Sends save commands by `node:http`: `fetch` gives up after 300 seconds without headers, and changes some bytes of a URL.
import * as http from 'node:http';
import * as https from 'node:https';
import { urlToHttpOptions } from 'node:url';
import { HttpsProxyAgent } from 'https-proxy-agent';
import { getProxyForUrl } from 'proxy-from-env';
import { decodeEscapes } from '../protocol/query.js';
import { MAX_TIMEOUT_MS } from '../validate-options.js';
import type { BatchSettings } from './options.js';
import { readConnectionError, readResponse, type Outcome, type ResponseHead } from './outcome.js';
import type { PreparedJob } from './prepare-job.js';
import { UsageError } from './types.js';

/** A host that takes no connection for so long cannot be reached. */
const CONNECT_TIMEOUT_MS = 10_000;

/** The longest time that a server of ours takes unless its operator allows more. */
const MAX_SERVER_TIMEOUT_MS = 600_000;

/** How much later than its own deadline a server may reply. */
const REPLY_GRACE_MS = 30_000;

/** A reply is a few hundred bytes long. What is longer is none. */
const MAX_REPLY_BYTES = 65_536;

type ClientSettings = Pick<BatchSettings, 'headers' | 'retries'>;
type BatchRequest = Pick<PreparedJob, 'origin' | 'path' | 'timeout'>;

/** How a server is reached, directly or through a proxy: the options of every request. */
interface Route extends http.RequestOptions {
  readonly agent: http.Agent;
  /** The server, for messages. */
  readonly server: string;
  /** What the path of each request begins with: a proxy is sent a whole URL. (RFC 9112, 3.2.2.) */
  readonly prefix: string;
}

/** Sends save commands over connections that stay open. */
export class SaveClient {
  readonly #running = new Set<http.ClientRequest>();
  readonly #routes = new Map<string, Route>();

  constructor(private readonly settings: ClientSettings) {}

  /**
   * Never rejects for what the server or the network does: that is in the outcome.
   *
   * @throws UsageError The proxy that the environment names cannot be used.
   */
  async save(request: BatchRequest): Promise<Outcome> {
    const route = this.#routes.get(request.origin) ?? createRoute(request.origin, this.settings);
    this.#routes.set(request.origin, route);
    try {
      return await this.#send(request, route);
    } catch (error) {
      return readConnectionError(error as NodeJS.ErrnoException, route.server);
    }
  }

  /** Breaks off the requests that are running, and closes all connections. */
  close(): void {
    for (const req of this.#running) req.destroy();
    for (const { agent } of this.#routes.values()) agent.destroy();
  }

  #send({ path, timeout }: BatchRequest, route: Route): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      const isTls = route.protocol === 'https:';
      const req = (isTls ? https : http).request({ ...route, path: route.prefix + path });
      const failAfter = (milliseconds: number, code: string): NodeJS.Timeout =>
        setTimeout(() => {
          req.destroy(Object.assign(new Error(code), { code }));
        }, milliseconds);
      // Node takes a longer delay for 1 ms.
      const limit = Math.min((timeout ?? MAX_SERVER_TIMEOUT_MS) + REPLY_GRACE_MS, MAX_TIMEOUT_MS);
      const timer = failAfter(limit, 'NO_REPLY');
      const connecting = failAfter(CONNECT_TIMEOUT_MS, 'ETIMEDOUT');
      const stopConnecting = (): void => {
        clearTimeout(connecting);
      };
      this.#running.add(req);
      req.on('error', reject).once('socket', (socket) => {
        if (req.reusedSocket) stopConnecting();
        else socket.once(isTls ? 'secureConnect' : 'connect', stopConnecting);
      });
      req.once('response', (res) => {
        stopConnecting();
        let text = '';
        // The reply is ASCII.
        res.setEncoding('latin1').on('data', (chunk: string) => {
          text += chunk;
          // An image can be large, and it is not wanted.
          if (text.length > MAX_REPLY_BYTES) res.destroy();
        });
        res.once('error', reject).once('close', () => {
          resolve(readResponse(res, text));
        });
      });
      // Its tunnel is refused. What the proxy says of it beside the status may be cut off.
      req.once('proxyConnect', (res: ResponseHead) => {
        if (res.statusCode === 200) return;
        resolve(readResponse(res, ''));
        req.destroy();
      });
      // Node closes the connection, and tells nothing else, where the server changes the protocol.
      req.once('upgrade', (res, socket) => {
        socket.destroy();
        resolve(readResponse(res, ''));
      });
      req.once('close', () => {
        clearTimeout(timer);
        stopConnecting();
        this.#running.delete(req);
      });
      req.end();
    });
  }
}

function createRoute(origin: string, { headers, retries }: ClientSettings): Route {
  const url = new URL(origin);
  const proxy = findProxy(origin);
  // A connection that is used again may be closed just as the request goes out, which takes a second attempt.
  const keepAlive = retries > 0;
  const isTunnel = url.protocol === 'https:' && proxy !== undefined;
  const to = isTunnel ? url : (proxy ?? url);
  return {
    ...urlToHttpOptions(to),
    auth: null,
    agent: isTunnel
      ? new HttpsProxyAgent(proxy, { keepAlive })
      : new (to.protocol === 'https:' ? https : http).Agent({ keepAlive }),
    headers: { 'User-Agent': 'express-image-save', ...(to !== url && proxyHeaders(url, to)), ...headers },
    server: proxy === undefined ? origin : `${origin} (through the proxy ${proxy.origin})`,
    prefix: to === url ? '' : origin,
  };
}

/** What a proxy is told besides the whole URL. */
function proxyHeaders({ host }: URL, { username, password }: URL): http.OutgoingHttpHeaders {
  const user = [username, password].map(decodeURIComponent).join(':');
  const authorization = `Basic ${Buffer.from(user).toString('base64')}`;
  return { Host: host, ...(user !== ':' && { 'Proxy-Authorization': authorization }) };
}

/** @throws UsageError It is no HTTP proxy. */
function findProxy(origin: string): URL | undefined {
  let text = getProxyForUrl(origin);
  if (text === '') return undefined;
  // A proxy without a scheme, `proxy:3128`, gets that of the server. It is a server without TLS, as for curl.
  const withoutScheme = text.replace(/^https:\/\//, '');
  if (withoutScheme !== text && Object.values(process.env).includes(withoutScheme))
    text = `http://${withoutScheme}`;
  const proxy = /^https?:\/\//i.test(text) && URL.canParse(text) ? new URL(text) : undefined;
  if (proxy !== undefined && decodeEscapes(proxy.username + proxy.password) !== undefined) return proxy;
  throw new UsageError(
    `The proxy ${text.replace(/\/\/.*@/, '//…@')} of the environment cannot be used. Name an HTTP proxy, as in http://proxy:3128, or list the host in NO_PROXY.`,
  );
}
