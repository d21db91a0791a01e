// Renderers in a process of their own: they import modules while they run, or are ES modules, neither of which jest's
// sandbox lets a CommonJS module use.
import { mkdtempSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { createProxyMiddleware, responseInterceptor } from 'http-proxy-middleware';
import sirv from 'sirv';
import { start, type Handler } from '../../support/host.js';
import { places, startPair, type Pair, type Place } from './usual-middleware.js';

/** The used part of ipx. Its own types need those of browsers and of every storage. */
interface Ipx {
  readonly ipxFSStorage: (options: { dir: string }) => object;
  readonly createIPX: (options: { storage: object }) => object;
  readonly createIPXNodeServer: (ipx: object) => Handler;
  readonly createIPXWebServer: (ipx: object) => (request: Request) => Promise<Response>;
}

/** What is used of http-proxy-middleware 4, as version 3 declares it. */
interface HttpProxyMiddleware {
  readonly createProxyMiddleware: typeof createProxyMiddleware;
  readonly responseInterceptor: typeof responseInterceptor;
}

export type Pairs = Record<string, Record<Place, Pair>>;

const require = createRequire(import.meta.url);

/** The renderers of each library, of the pictures of a folder. */
const LIBRARIES = {
  ipx(pictures: string): Record<string, Handler> {
    const { ipxFSStorage, createIPX, createIPXNodeServer, createIPXWebServer } = require('ipx') as Ipx;
    const ipx = createIPX({ storage: ipxFSStorage({ dir: pictures }) });
    const fetchFromIpx = createIPXWebServer(ipx);
    return {
      createIPXNodeServer: createIPXNodeServer(ipx),
      createIPXWebServer: async (req, res) => {
        const { status, headers, body } = await fetchFromIpx(
          new Request(new URL(req.url ?? '', 'http://localhost')),
        );
        res.writeHead(status, Object.fromEntries(headers));
        await pipeline(body ?? [], res);
      },
    };
  },

  async 'http-proxy-middleware 4'(pictures: string): Promise<Record<string, Handler>> {
    const library = require('hpm4') as HttpProxyMiddleware;
    const { url: target } = await start([sirv(pictures)]);
    const intercept = library.responseInterceptor((body) => Promise.resolve(body));
    return {
      createProxyMiddleware: library.createProxyMiddleware({ target }),
      responseInterceptor: library.createProxyMiddleware({
        target,
        selfHandleResponse: true,
        on: {
          proxyRes: (...given) => {
            void intercept(...given);
          },
        },
      }),
    };
  },
};
export type Library = keyof typeof LIBRARIES;

async function main(): Promise<void> {
  const [, library = '', pictures = '', folder = ''] = process.argv;
  const pairs: Record<string, Record<string, Pair>> = {};
  for (const [name, renderer] of Object.entries(await LIBRARIES[library as Library](pictures))) {
    pairs[name] = {};
    for (const place of places) {
      pairs[name][place] = await startPair(() => renderer, place, mkdtempSync(join(folder, 'saved-')));
    }
  }
  process.send?.(pairs);
}

process.once('disconnect', () => process.exit());
void main();
