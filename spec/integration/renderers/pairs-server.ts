// ipx in a process of its own: it imports modules while it runs, which jest's sandbox does not let a CommonJS one do.
import { mkdtempSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { imageSave } from '../../../lib/index.js';
import { start, type Handler } from '../../support/host.js';
import { places, type Place } from './usual-middleware.js';

/** The used part of ipx. Its own types need those of browsers and of every storage. */
interface Ipx {
  readonly ipxFSStorage: (options: { dir: string }) => object;
  readonly createIPX: (options: { storage: object }) => object;
  readonly createIPXNodeServer: (ipx: object) => Handler;
  readonly createIPXWebServer: (ipx: object) => (request: Request) => Promise<Response>;
}

export interface Pair {
  /** The addresses of a server without the middleware and of one with it. */
  readonly bare: string;
  readonly url: string;
  readonly savePath: string;
}
export type Pairs = Record<string, Record<Place, Pair>>;

const [, pictures = '', folder = ''] = process.argv;
const { ipxFSStorage, createIPX, createIPXNodeServer, createIPXWebServer } = createRequire(import.meta.url)(
  'ipx',
) as Ipx;

const ipx = createIPX({ storage: ipxFSStorage({ dir: pictures }) });
const fetchFromIpx = createIPXWebServer(ipx);
const renderers: Record<string, Handler> = {
  createIPXNodeServer: createIPXNodeServer(ipx),
  createIPXWebServer: async (req, res) => {
    const { status, headers, body } = await fetchFromIpx(
      new Request(new URL(req.url ?? '', 'http://localhost')),
    );
    res.writeHead(status, Object.fromEntries(headers));
    await pipeline(body ?? [], res);
  },
};

async function startPair(renderer: Handler, place: Place): Promise<Pair> {
  const savePath = mkdtempSync(join(folder, 'saved-'));
  const [one, other] = [places[place](), places[place]()];
  const bare = await start([...one.before, ...one.behind, renderer]);
  const saving = await start([...other.before, imageSave({ savePath }), ...other.behind, renderer]);
  return { bare: bare.url, url: saving.url, savePath };
}

async function main(): Promise<void> {
  const pairs: Record<string, Record<string, Pair>> = {};
  for (const [name, renderer] of Object.entries(renderers)) {
    pairs[name] = {};
    for (const place of Object.keys(places) as Place[]) {
      pairs[name][place] = await startPair(renderer, place);
    }
  }
  process.send?.(pairs);
}

process.once('disconnect', () => process.exit());
void main();
