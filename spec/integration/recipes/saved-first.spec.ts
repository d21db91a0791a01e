// docs/recipes/saved-first.mjs, in front of a renderer that counts, fails and waits as the visitor's path says.
import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { get, type Answer } from '../../support/client.js';
import { useProject } from '../../support/project.js';
import { list } from '../../support/temp-dir.js';

/** Prints a line for each render, to wait for, and writes one, to count: what is printed may arrive after the reply. */
const RENDERER = `
import { appendFileSync, existsSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { renderer as square } from './square.mjs';

export async function renderer(req, res, next) {
  console.log('rendered', req.path, req.query.wid);
  appendFileSync('renders', req.path + ' ' + req.query.wid + '\\n');
  if (req.path === '/unknown') return res.status(404).send('no such picture');
  if (req.path === '/broken') return res.type('png').end('not a picture');
  while (req.path.startsWith('/slow') && !existsSync('go')) await setTimeout(10);
  return square(req, res, next);
}
`;
const COUNT_VISITORS = `
import { Server } from 'node:http';

const { emit } = Server.prototype;
let visitors = 0;
Server.prototype.emit = function (name, req, ...rest) {
  if (name === 'request' && req.url.startsWith('/images/')) console.log('visitor', (visitors += 1));
  return emit.call(this, name, req, ...rest);
};
`;

const { file, cwd, start } = useProject();

beforeAll(() => {
  cpSync('docs/recipes/renderer.mjs', file('square.mjs'));
  writeFileSync(file('renderer.mjs'), RENDERER);
  writeFileSync(file('count-visitors.mjs'), COUNT_VISITORS);
});

interface Site {
  readonly visit: (file: string, headers?: Record<string, string>) => Promise<Answer>;
  /** Resolves when so many visitors have arrived. */
  readonly arrived: (count: number) => Promise<void>;
  /** Resolves when the render of a picture has begun. */
  readonly rendering: (picture: string) => Promise<void>;
  /** What was rendered: a path and a width each. */
  readonly renders: () => string[];
}

async function startSite(name = 'saved-first.mjs'): Promise<Site> {
  const preload = [file('count-visitors.mjs')];
  const { url, printed } = await start(name, { preload });
  return {
    visit: async (name, headers = {}) => get(`${url}/images/${name}`, { headers }),
    arrived: async (count) => printed(new RegExp(`^visitor ${count}$`, 'm')),
    rendering: async (picture) => printed(new RegExp(`rendered /${picture} `)),
    renders: () =>
      existsSync(cwd('renders')) ? readFileSync(cwd('renders'), 'utf8').trim().split('\n') : [],
  };
}

/** Lets the slow renders end. */
function go(): void {
  writeFileSync(cwd('go'), '');
}

// On a slow disk, a temporary file may be there for longer than the reply takes.
const saved = (): string[] => list(cwd('saved')).filter((name) => !name.startsWith('.'));

describe('saved-first.mjs', () => {
  test('renders a missing image in the size of its preset, saves it and sends it', async () => {
    const { visit, renders } = await startSite();
    const { status, headers, body } = await visit('shoe.thumb.png');
    expect([status, headers['content-type']]).toEqual([200, 'image/png']);
    expect(headers['cache-control']).toBe('public, max-age=3600');
    expect(body.readUInt32BE(16)).toBe(120);
    expect(renders()).toEqual(['/shoe 120']);
    expect(saved()).toEqual(['shoe.thumb.png']);
  });

  test('renders once for a hundred simultaneous first visitors', async () => {
    const { visit, arrived, renders } = await startSite();
    const visits = Promise.all(Array.from({ length: 100 }, async () => visit('slow.page.png')));
    await arrived(100);
    go();
    const answers = await visits;
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(new Set(answers.map(({ body }) => body.toString('base64'))).size).toBe(1);
    expect(renders()).toEqual(['/slow 800']);
  });

  test('sends a saved image without a render, in ranges and with an ETag', async () => {
    const { visit, renders } = await startSite();
    const { body, headers } = await visit('shoe.thumb.png');
    const { etag = '' } = headers;
    const range = await visit('shoe.thumb.png', { Range: 'bytes=1-3' });
    expect([range.status, range.body.toString()]).toEqual([206, 'PNG']);
    expect(range.headers['content-range']).toBe(`bytes 1-3/${body.length}`);
    expect((await visit('shoe.thumb.png', { 'If-None-Match': etag })).status).toBe(304);
    expect(renders()).toHaveLength(1);
  });

  test('sends the first visitor the range that was asked for', async () => {
    const { visit } = await startSite();
    const range = await visit('shoe.thumb.png', { Range: 'bytes=1-3' });
    expect([range.status, range.body.toString()]).toEqual([206, 'PNG']);
  });

  test('renders nothing for a preset that is not in the table or a name that is none', async () => {
    const { visit, renders } = await startSite();
    const names =
      'shoe.huge.png shoe.constructor.png shoe.thumb.jpg Shoe.thumb.png .png .thumb.png a%2Fb.thumb.png';
    for (const file of [...names.split(' '), `${'a'.repeat(101)}.thumb.png`, '..%2Fshoe.thumb.png']) {
      expect([file, (await visit(file)).status]).toEqual([file, 404]);
    }
    expect(renders()).toEqual([]);
  });

  test('takes no size from the URL', async () => {
    const { visit, renders } = await startSite();
    expect((await visit('shoe.thumb.png?wid=2000')).body.readUInt32BE(16)).toBe(120);
    expect(renders()).toEqual(['/shoe 120']);
  });

  test.each([
    ['unknown', 'renderer-status'],
    ['broken', 'not-an-image'],
  ])('answers 502 and leaves no file where the renderer fails (%s)', async (picture, code) => {
    const { visit, renders } = await startSite();
    const { status, headers, body } = await visit(`${picture}.thumb.png`);
    expect([status, body.toString()]).toEqual([502, `No image: ${code}`]);
    expect(headers['cache-control']).toBe('no-store');
    expect(saved()).toEqual([]);
    await visit(`${picture}.thumb.png`);
    expect(renders()).toHaveLength(2);
  });

  test('answers 503 with Retry-After where the server is too busy', async () => {
    const text = readFileSync('docs/recipes/saved-first.mjs', 'utf8');
    writeFileSync(
      file('one-at-a-time.mjs'),
      text.replace('overwrite: false', '$&, concurrency: 1, maxQueue: 0'),
    );
    const { visit, rendering } = await startSite('one-at-a-time.mjs');
    const first = visit('slow.thumb.png');
    await rendering('slow');
    const { status, headers, body } = await visit('shoe.thumb.png');
    expect([status, body.toString()]).toEqual([503, 'No image: too-busy']);
    expect(headers['retry-after']).toMatch(/^[1-9]\d*$/);
    go();
    expect((await first).status).toBe(200);
    expect(saved()).toEqual(['slow.thumb.png']);
  });

  test('sends what another process has saved meanwhile', async () => {
    const [one, other] = [await startSite(), await startSite()];
    const visits = [one, other].map(async ({ visit }) => visit('slow.thumb.png'));
    await Promise.all([one.rendering('slow'), other.rendering('slow')]);
    go();
    const [answer, otherAnswer] = await Promise.all(visits);
    expect([answer?.status, otherAnswer?.status]).toEqual([200, 200]);
    expect(answer?.headers.etag).toBe(otherAnswer?.headers.etag);
  });
});
