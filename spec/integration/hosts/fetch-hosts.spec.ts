// The Fetch handler in hosts as npm installs them: each saves, refuses and serves ordinary requests over HTTP.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { get } from '../../support/client.js';
import { makeProject, startProgram, stopPrograms } from '../../support/project.js';
import { list, makeTempDir, removeTempDirs } from '../../support/temp-dir.js';

const RENDERER = `
import { imageSave } from 'express-image-save/fetch';
import sharp from 'sharp';
const options = { savePath: './saved', mount: '/is/image' };
async function renderer(request) {
  const width = Number(new URL(request.url).searchParams.get('wid'));
  if (!(width > 0)) return new Response('no width', { status: 400 });
  const image = sharp({ create: { width, height: 5, channels: 3, background: 'teal' } });
  return new Response(await image.png().toBuffer(), { headers: { 'Content-Type': 'image/png' } });
}
`;
const HOSTS: Record<string, string> = {
  'Hono, around the app': `
    import { serve } from '@hono/node-server';
    import { Hono } from 'hono';
    const app = new Hono().get('/is/image/:picture', (c) => renderer(c.req.raw));
    serve({ fetch: imageSave(app.fetch, options), port: 3000 });`,
  'Hono, around a route': `
    import { serve } from '@hono/node-server';
    import { Hono } from 'hono';
    const save = imageSave(renderer, options);
    const app = new Hono().all('/is/image/:picture', (c) => save(c.req.raw));
    serve({ fetch: app.fetch, port: 3000 });`,
  'Hono, below app.mount': `
    import { serve } from '@hono/node-server';
    import { Hono } from 'hono';
    const app = new Hono().mount('/is/image', imageSave(renderer, { ...options, mount: '/' }));
    serve({ fetch: app.fetch, port: 3000 });`,
  h3: `
    import { createServer } from 'node:http';
    import { H3, toNodeHandler } from 'h3';
    const save = imageSave(renderer, options);
    const app = new H3().all('/is/image/**', (event) => save(event.req));
    createServer(toNodeHandler(app)).listen(3000);`,
  'node:http, with a web adapter': `
    import { createServer } from 'node:http';
    import { getRequestListener } from '@hono/node-server';
    createServer(getRequestListener(imageSave(renderer, options))).listen(3000);`,
};

let project: string;
beforeAll(() => {
  project = makeProject(['hono', '@hono/node-server', 'h3']);
});
afterEach(stopPrograms);
afterAll(removeTempDirs);

test.each(Object.keys(HOSTS))('%s', async (name) => {
  const cwd = makeTempDir();
  mkdirSync(join(cwd, 'saved'));
  const file = join(project, 'host.mjs');
  writeFileSync(file, RENDERER + HOSTS[name]!);
  const { url } = await startProgram(file, { cwd });
  const command = (query: string): string => `${url}/is/image/shoe?${query}&req=saveToFile&name=x.png`;

  const done = await get(command('wid=40'), { headers: { 'Accept-Encoding': 'gzip', Range: 'bytes=0-9' } });
  expect([done.status, done.reply.status, done.reply.image?.width]).toEqual([200, 'done', 40]);
  const refused = await get(command('wid=none'));
  expect([refused.status, refused.reply.error?.code]).toEqual([403, 'renderer-status']);
  const ordinary = await get(`${url}/is/image/shoe?wid=40`);
  expect([ordinary.status, ordinary.headers['content-type']]).toEqual([200, 'image/png']);
  expect((await get(`${command('wid=40')}&name=y.png`)).reply.error?.code).toBe('repeated-command');
  expect((await get(command('wid=40'), { method: 'POST' })).reply.status).toBe('done');
  expect(list(join(cwd, 'saved'))).toEqual(['x.png']);
});
