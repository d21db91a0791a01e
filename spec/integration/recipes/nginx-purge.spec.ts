// docs/recipes/purge.mjs and nginx-purge.conf, with nginx as the cache; skipped where nginx is not installed.
import { cpSync, mkdirSync, readFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { get, type Answer } from '../../support/client.js';
import { makeTempDir, removeTempDirs } from '../../support/temp-dir.js';
import { makeProject, startProgram, stopPrograms, type Program } from '../../support/project.js';
import { nginx, startNginx, stopNginx } from '../../support/nginx.js';

const describeIf = nginx === undefined ? describe.skip : describe;

let url: string;
let program: Program;

/** A port that is free now. */
async function findPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const save = (wid: number): Promise<Answer> =>
  get(`${url}/is/image/shoe?wid=${wid}&req=saveToFile&name=a%20b%2Bc.png`);

/** An image as the cache serves it: where it comes from, and its length. */
async function read(path = '/saved/a%20b+c.png'): Promise<[unknown, number]> {
  const { headers, body } = await get(url + path);
  return [headers['x-cache-status'], body.length];
}

if (nginx === undefined) {
  test.skip('skipped: nginx is not installed (Debian: apt-get install nginx-light)', () => undefined);
}

describeIf('a cache of nginx', () => {
  beforeAll(async () => {
    const folder = makeTempDir();
    for (const name of ['saved', 'cache']) mkdirSync(join(folder, name));
    const project = makeProject([]);
    cpSync('docs/recipes', project, { recursive: true });
    const port = await findPort();
    url = `http://127.0.0.1:${port}`;
    const env = { PUBLIC_URL: 'https://cdn.example/saved/', PURGE_URL: `${url}/refresh/saved/` };
    program = await startProgram(join(project, 'purge.mjs'), { cwd: folder, env });
    const recipe = readFileSync('docs/recipes/nginx-purge.conf', 'utf8')
      .replace('listen 80;', `listen 127.0.0.1:${port};`)
      .replaceAll('127.0.0.1:3000', `127.0.0.1:${program.port}`)
      .replace('/var/cache/nginx/saved', join(folder, 'cache'));
    await startNginx(folder, recipe);
  });
  afterAll(async () => {
    await stopNginx();
    await stopPrograms();
    removeTempDirs();
  });

  test('serves the new image as soon as the client has its reply', async () => {
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

  test('that cannot be reached leaves the save done, and the operator a line', async () => {
    await stopNginx();
    const { reply } = await get(`${program.url}/is/image/shoe?wid=20&req=saveToFile&name=hat.png`);
    expect(reply.status).toBe('done');
    await program.printed(/hat\.png was not purged: /);
  });
});
