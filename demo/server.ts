// The demo's server: a renderer with the middleware in front, the saved images, and the page.

import { EventEmitter, once } from 'node:events';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { imageSave, type SaveRecord } from '../lib/index.js';
import { serveFiles } from './files.js';
import { createRenderer, findPictures } from './renderer.js';
import { listSavedImages } from './saved-images.js';

const PAGE = fileURLToPath(new URL('page', import.meta.url));
export const PICTURES = fileURLToPath(new URL('pictures', import.meta.url));

/** Forbids inline code and other sites. `blob:` allows the renderings, which the page fetches itself. */
const POLICY = [
  "default-src 'self'",
  "img-src 'self' blob:",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');

const MAX_RECORDS = 100;

export function createDemo(savePath: string): RequestListener {
  const records = new Records();
  const save = imageSave({
    savePath,
    onSave: (record, req) => {
      records.add(readId(req), record);
    },
  });
  const pictures = findPictures(PICTURES);
  const render = createRenderer(pictures);
  const sendSaved = serveFiles(savePath);
  const sendPage = serveFiles(PAGE);

  const lists: Record<string, (query: URLSearchParams) => Promise<unknown>> = {
    '/pictures.json': () => Promise.all([...pictures].map(describePicture)),
    '/saved.json': () => listSavedImages(savePath),
    '/record.json': (query) => records.get(query.get('id') ?? ''),
  };

  return (req, res) => {
    const { pathname, searchParams } = new URL(req.url ?? '/', 'http://demo');
    if (mount(req, '/is/image')) {
      save(req, res, () => {
        render(req, res);
      });
      return;
    }
    setSafeHeaders(res);
    if (mount(req, '/saved')) sendSaved(req, res);
    else if (Object.hasOwn(lists, pathname)) sendJson(res, lists[pathname]!(searchParams));
    else sendPage(req, res);
  };
}

/** Cuts a prefix off the URL, as a router does. Returns false if the URL is not below it. */
function mount(req: IncomingMessage & { originalUrl?: string }, prefix: string): boolean {
  if (!req.url?.startsWith(`${prefix}/`)) return false;
  req.originalUrl = req.url;
  req.url = req.url.slice(prefix.length);
  return true;
}

/** Clients choose the saved files, so browsers must not guess their type. */
function setSafeHeaders(res: ServerResponse): void {
  res.setHeader('Content-Security-Policy', POLICY);
  res.setHeader('X-Content-Type-Options', 'nosniff');
  res.setHeader('Referrer-Policy', 'same-origin');
}

function sendJson(res: ServerResponse, value: Promise<unknown>): void {
  const send = (status: number, body: unknown): void => {
    res.writeHead(status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' });
    res.end(JSON.stringify(body));
  };
  value.then(
    (body) => {
      send(200, body);
    },
    () => {
      send(500, {});
    },
  );
}

async function describePicture([id, file]: [id: string, file: string]) {
  const { width, height } = await sharp(file).metadata();
  return { id, width, height };
}

/** The page gives each of its save commands an id, to ask later where the time went. */
function readId(req: IncomingMessage): string {
  return String(req.headers['demo-save'] ?? '');
}

/** The records of the latest saves. */
class Records {
  readonly #records = new Map<string, SaveRecord>();
  readonly #added = new EventEmitter();

  add(id: string, record: SaveRecord): void {
    this.#records.set(id, record);
    const [oldest] = this.#records.keys();
    if (this.#records.size > MAX_RECORDS) this.#records.delete(oldest!);
    this.#added.emit(`record ${id}`);
  }

  /** The record is made after the reply, so the page may ask for it a little too early. */
  async get(id: string): Promise<Pick<SaveRecord, 'milliseconds' | 'stages'>> {
    if (!this.#records.has(id))
      await once(this.#added, `record ${id}`, { signal: AbortSignal.timeout(2000) });
    const { milliseconds, stages } = this.#records.get(id)!;
    return { milliseconds, stages };
  }
}
