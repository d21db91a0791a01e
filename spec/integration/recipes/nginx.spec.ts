// docs/recipes/nginx.conf and nginx-purge.conf, with nginx itself before the program; skipped where it is not installed (Debian:
// nginx-light).
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { get, type Answer } from '../../support/client.js';
import { list } from '../../support/temp-dir.js';
import { jpeg, png } from '../../support/images.js';
import { useProject, type Program } from '../../support/project.js';
import { describeNginx, startNginx, stopNginx } from '../../support/nginx.js';

const { cwd, start } = useProject();
let program: Program;
afterEach(stopNginx);

describeNginx()('nginx.conf', () => {
  const ask = (path: string): Promise<Answer> =>
    get('http://localhost', { socketPath: cwd('nginx.sock'), path });

  beforeEach(async () => {
    mkdirSync(cwd('app'));
    program = await start('serve.mjs');
    const recipe = readFileSync('docs/recipes/nginx.conf', 'utf8')
      .replace('listen 80;', `listen unix:${cwd('nginx.sock')};`)
      .replace('127.0.0.1:3000', `127.0.0.1:${program.port}`)
      .replace('/srv/saved/', `${cwd('saved')}/`);
    await startNginx(cwd(), recipe);
  });

  test('nginx passes a save on and serves its image without the app', async () => {
    const { status, headers, reply } = await ask('/is/image/shoe?wid=30&req=saveToFile&name=a%20b%2Bc.png');
    expect(status).toBe(200);
    expect(headers['cache-control']).toBe('no-store');
    expect(reply).toMatchObject({ status: 'done', name: 'a b+c.png', pixelsTotal: 900 });
    const saved = await ask('/saved/a%20b+c.png');
    expect([saved.status, saved.body.length]).toEqual([200, reply.image?.length]);
    expect(saved.headers).toMatchObject({
      'content-type': 'image/png',
      'cache-control': 'no-cache',
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'; sandbox",
    });
  });

  test('nginx keeps the status and the text of a refusal', async () => {
    const { status, reply } = await ask('/is/image/shoe?req=saveToFile&name=no/shoe.png');
    expect([status, reply.error?.code]).toEqual([403, 'folder-missing']);
  });

  test('nginx passes an encoded path traversal on unchanged, and the app refuses it', async () => {
    const { reply } = await ask('/is/image/shoe?req=saveToFile&name=..%2Fshoe.png');
    expect(reply.error?.code).toBe('name-invalid');
    expect(list(cwd())).not.toContain('shoe.png');
  });

  test('nginx hides temporary files and lists, and serves unknown types as downloads', async () => {
    writeFileSync(cwd('saved', '.image-save-0.tmp'), await png(2, 2));
    writeFileSync(cwd('saved', 'plain'), await jpeg(2, 2));
    writeFileSync(cwd('saved', 'a.jfif'), await jpeg(2, 2));
    expect((await ask('/saved/.image-save-0.tmp')).status).toBe(404);
    expect((await ask('/saved/')).status).toBe(403);
    expect((await ask('/saved/plain')).headers['content-type']).toBe('application/octet-stream');
    expect((await ask('/saved/a.jfif')).headers['content-type']).toBe('image/jpeg');
  });
});

describeNginx()('nginx-purge.conf', () => {
  let url: string;
  const save = (wid: number): Promise<Answer> =>
    get(`${url}/is/image/shoe?wid=${wid}&req=saveToFile&name=a%20b%2Bc.png`);

  /** An image as the cache serves it: where it comes from, and its length. */
  async function read(path = '/saved/a%20b+c.png'): Promise<[unknown, number]> {
    const { headers, body } = await get(url + path);
    return [headers['x-cache-status'], body.length];
  }

  beforeEach(async () => {
    mkdirSync(cwd('cache'));
    const port = await findPort();
    url = `http://127.0.0.1:${port}`;
    const env = { PUBLIC_URL: 'https://cdn.example/saved/', PURGE_URL: `${url}/refresh/saved/` };
    program = await start('purge.mjs', { env });
    const recipe = readFileSync('docs/recipes/nginx-purge.conf', 'utf8')
      .replace('listen 80;', `listen 127.0.0.1:${port};`)
      .replaceAll('127.0.0.1:3000', `127.0.0.1:${program.port}`)
      .replace('/var/cache/nginx/saved', cwd('cache'));
    await startNginx(cwd(), recipe);
  });

  test('the cache serves the new image as soon as the client has its reply', async () => {
    const first = await save(20);
    expect(first.reply).toMatchObject({ status: 'done', url: 'https://cdn.example/saved/a%20b%2Bc.png' });
    const { length: before = 0 } = first.reply.image ?? {};
    expect(await read()).toEqual(['HIT', before]);
    expect(await read('/saved/a%20b%2Bc.png')).toEqual(['HIT', before]);
    const second = await save(300);
    const { length: after = 0 } = second.reply.image ?? {};
    expect(after).not.toBe(before);
    expect(await read()).toEqual(['HIT', after]);
    expect(program.output()).toBe('');
  });

  test('a cache that cannot be reached leaves the save done, and the operator a line', async () => {
    await stopNginx();
    const { reply } = await get(`${program.url}/is/image/shoe?wid=20&req=saveToFile&name=hat.png`);
    expect(reply.status).toBe('done');
    await program.printed(/hat\.png was not purged: /);
  });
});

/** A port that is free now. */
async function findPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
