// docs/recipes/nginx.conf, with nginx itself in front of an app; skipped where nginx is not installed.
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { get, type Answer } from '../../support/client.js';
import { list, makeTempDir, removeTempDirs } from '../../support/temp-dir.js';
import { jpeg, png } from '../../support/images.js';
import { makeProject, startProgram, stopPrograms, type Program } from '../../support/project.js';
import { nginx, startNginx, stopNginx } from '../../support/nginx.js';

const describeIf = nginx === undefined ? describe.skip : describe;

let folder: string;
let program: Program;

/** The recipe on a socket of its own, before this app. */
function recipe(): string {
  return readFileSync('docs/recipes/nginx.conf', 'utf8')
    .replace('listen 80;', `listen unix:${join(folder, 'nginx.sock')};`)
    .replace('127.0.0.1:3000', `127.0.0.1:${program.port}`)
    .replace('/srv/saved/', `${join(folder, 'saved')}/`);
}

async function ask(path: string, headers: Record<string, string> = {}): Promise<Answer> {
  return get('http://localhost', { socketPath: join(folder, 'nginx.sock'), path, headers });
}

if (nginx === undefined) {
  test.skip('skipped: nginx is not installed (Debian: apt-get install nginx-light)', () => undefined);
}

describeIf('behind nginx', () => {
  beforeAll(async () => {
    folder = makeTempDir();
    for (const name of ['saved', 'app']) mkdirSync(join(folder, name));
    const project = makeProject([]);
    cpSync('docs/recipes', project, { recursive: true });
    program = await startProgram(join(project, 'serve.mjs'), { cwd: folder });
    await startNginx(folder, recipe());
  });
  afterAll(async () => {
    await stopNginx();
    await stopPrograms();
    removeTempDirs();
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
    expect(list(folder)).not.toContain('shoe.png');
  });

  test('nginx hides temporary files and lists, and serves unknown types as downloads', async () => {
    writeFileSync(join(folder, 'saved', '.image-save-0.tmp'), await png(2, 2));
    writeFileSync(join(folder, 'saved', 'plain'), await jpeg(2, 2));
    writeFileSync(join(folder, 'saved', 'a.jfif'), await jpeg(2, 2));
    expect((await ask('/saved/.image-save-0.tmp')).status).toBe(404);
    expect((await ask('/saved/')).status).toBe(403);
    expect((await ask('/saved/plain')).headers['content-type']).toBe('application/octet-stream');
    expect((await ask('/saved/a.jfif')).headers['content-type']).toBe('image/jpeg');
  });
});
