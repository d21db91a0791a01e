// docs/recipes/proxy.mjs, in front of an image server that refuses every URL whose signature is wrong, and in front of
// nginx with its image filter.
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { get, type Answer } from '../../support/client.js';
import { start as startServer, stopAll, type Handler } from '../../support/host.js';
import { jpeg } from '../../support/images.js';
import { describeNginx, findNginxModule, startNginx, stopNginx } from '../../support/nginx.js';
import { installed, runsHttpProxyMiddleware4, useProject } from '../../support/project.js';
import { linkDir, list, makeTempDir } from '../../support/temp-dir.js';

/** The versions that run on this Node, and where they are installed. */
const VERSIONS: Record<string, string> = {
  'http-proxy-middleware 3': 'http-proxy-middleware',
  ...(runsHttpProxyMiddleware4 ? { 'http-proxy-middleware 4': 'hpm4' } : {}),
};

const { file, cwd, start, run } = useProject();

beforeAll(() => {
  for (const directory of Object.values(VERSIONS)) {
    mkdirSync(file(directory, 'node_modules'), { recursive: true });
    linkDir(installed(directory), file(directory, 'node_modules', 'http-proxy-middleware'));
    cpSync('docs/recipes/proxy.mjs', file(directory, 'proxy.mjs'));
  }
});
afterEach(stopAll);

/** Starts the recipe and sends paths to it, byte for byte as they are. */
async function startRecipe(version: string, target: string): Promise<(path: string) => Promise<Answer>> {
  const { url } = await start(`${VERSIONS[version]}/proxy.mjs`, { env: { IMAGE_SERVER: target } });
  return async (path) => get(url, { path });
}

const saved = (): string[] => list(cwd('saved'));
const sent = ({ status, reply }: Answer): string => `${status} ${reply.error?.code ?? reply.status}`;

const sign = (rest: string): string => createHmac('sha256', 'key').update(rest).digest('hex');
const signed = (rest: string): string => `/${sign(rest)}${rest}`;

/** An image server that sends its picture where every byte of the URL is as it was signed. */
async function startSigningServer(): Promise<string> {
  const picture = await jpeg(30, 20);
  const answer: Handler = (req, res) => {
    const [, signature, rest = ''] = /^\/([0-9a-f]{64})(.*)$/.exec(req.url ?? '') ?? [];
    if (signature !== sign(rest)) {
      res.writeHead(403).end('The signature is wrong');
    } else if (rest.startsWith('/cut')) {
      res.writeHead(200, { 'Content-Type': 'image/jpeg', 'Content-Length': picture.length });
      res.write(picture.subarray(0, picture.length / 2), () => res.destroy());
    } else {
      res.writeHead(200, { 'Content-Type': 'image/jpeg' }).end(picture);
    }
  };
  return (await startServer([answer], 'http.createServer')).url;
}

/** Paths and queries that proxies like to tidy up. */
const SIGNED = [
  '/rs:fit:300:200/plain/http://example.com/a%20b.jpg@png',
  '/plain/local:///shoes/a.jpg',
  '//double//slash/./and/../dots.jpg',
  '/a.jpg?quotes=\'x\'&double="y"&braces={1}&pipe=|&caret=^&tick=`&back=\\',
  '/a.jpg?q=a+b%2Bc&&empty=&none&%7Etilde=~&lower=%c3%a9&upper=%C3%A9&semi;colon',
  '/a.jpg?src=is(b?req=img&name=x)&wid=3',
  '/%E0%A4%A/bad-escape.jpg?x=%',
];

const COMMAND = 'req=saveToFile&timeout=30000&name=a.jpg';

/** The ways to put the command into a URL. */
const placements: Record<string, (url: string) => string> = {
  'at the end': (url) => `${url}${url.includes('?') ? '&' : '?'}${COMMAND}`,
  'at the start': (url) => (url.includes('?') ? url.replace('?', () => `?${COMMAND}&`) : `${url}?${COMMAND}`),
};

describe.each(Object.keys(VERSIONS))('proxy.mjs with %s', (version) => {
  test('saves and sends what the image server sends for a signed URL, whatever its bytes', async () => {
    const ask = await startRecipe(version, await startSigningServer());
    for (const url of SIGNED.map(signed)) {
      expect([url, (await ask(url)).status]).toEqual([url, 200]);
      for (const [place, withCommand] of Object.entries(placements)) {
        expect([url, place, sent(await ask(withCommand(url)))]).toEqual([url, place, '200 done']);
      }
    }
    expect(saved()).toEqual(['a.jpg']);
  });

  test('saves nothing where one byte of a signed URL was changed', async () => {
    const ask = await startRecipe(version, await startSigningServer());
    const url = signed("/a.jpg?quotes='x'").replace("'x'", '%27x%27');
    expect(sent(await ask(`${url}&${COMMAND}`))).toBe('403 renderer-status');
    expect(saved()).toEqual([]);
  });

  test('saves nothing where the image server breaks off in mid-image', async () => {
    const ask = await startRecipe(version, await startSigningServer());
    expect(sent(await ask(`${signed('/cut.jpg')}?${COMMAND}`))).toBe('403 renderer-aborted');
    expect(saved()).toEqual([]);
  });

  test('saves nothing where the image server does not answer', async () => {
    const ask = await startRecipe(version, 'http://127.0.0.1:1');
    expect(sent(await ask(`/a.jpg?${COMMAND}`))).toBe('403 renderer-status');
  });
});

test('proxy.mjs does not start without an image server', async () => {
  const env = { IMAGE_SERVER: '' };
  expect(await run('http-proxy-middleware/proxy.mjs', { env })).toContain('Set IMAGE_SERVER');
});

// Debian: libnginx-mod-http-image-filter.
const IMAGE_FILTER = 'ngx_http_image_filter_module.so';

describeNginx(IMAGE_FILTER).each(Object.keys(VERSIONS))("nginx's image_filter behind %s", (version) => {
  afterEach(stopNginx);

  test('renders what is saved, and saves nothing where it cannot', async () => {
    const folder = makeTempDir();
    writeFileSync(join(folder, 'shoe.jpg'), await jpeg(300, 200));
    writeFileSync(join(folder, 'text.jpg'), 'not a picture');
    const socket = await startNginx(
      folder,
      `server {
        listen SOCKET;
        root ${folder};
        location ~ ^/(?<width>[0-9]+)/(?<picture>.*) {
          image_filter resize $width -;
          alias ${folder}/$picture;
        }
      }`,
      `load_module ${findNginxModule(IMAGE_FILTER)};`,
    );
    const gate = createServer((client) => {
      const upstream = connect(socket);
      for (const side of [client, upstream]) side.on('error', () => upstream.destroy());
      client.pipe(upstream).pipe(client);
    });
    await once(gate.listen(0, '127.0.0.1'), 'listening');
    const { port } = gate.address() as AddressInfo;
    const ask = await startRecipe(version, `http://127.0.0.1:${port}`);
    const { status, reply } = await ask(`/60/shoe.jpg?${COMMAND}`);
    expect([status, reply.image?.width, reply.image?.height]).toEqual([200, 60, 40]);
    expect(sent(await ask('/60/text.jpg?req=saveToFile&name=text.jpg'))).toBe('403 renderer-status');
    expect(sent(await ask('/60/none.jpg?req=saveToFile&name=none.jpg'))).toBe('403 renderer-status');
    expect(saved()).toEqual(['a.jpg']);
    gate.close();
  });
});
