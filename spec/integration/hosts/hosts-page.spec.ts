// docs/hosts.md: each host as npm installs it runs the code of the page, saves, refuses and serves ordinary requests over HTTP.
import { readFileSync, writeFileSync } from 'node:fs';
import { get as request } from 'node:http';
import { blocks } from '../../docs/markdown.js';
import { type Answer, get } from '../../support/client.js';
import { useProject, type Program } from '../../support/project.js';
import { list } from '../../support/temp-dir.js';

/** The renderer of each kind of host. Those of NestJS and Fastify send a stream. */
const RENDERERS = `
import { Readable } from 'node:stream';
import sharp from 'sharp';
import { saveOf } from 'express-image-save';
async function draw(width) {
  if (!(width > 0)) throw new Error('no width');
  const create = { width: Number(width), height: 5, channels: 3, background: 'teal' };
  return Readable.from([await sharp({ create }).png().toBuffer()]);
}
const widthIn = (url) => new URL(url, 'http://host').searchParams.get('wid');
/** Says when it is no longer wanted. */
async function hang(message) {
  const { signal } = saveOf(message);
  console.log('rendering');
  await new Promise((resolve) => signal.addEventListener('abort', resolve));
  console.log('aborted', signal.reason.code);
}
async function forNode(req, res) {
  const width = widthIn(req.url);
  if (width === 'hang') return hang(res);
  try {
    (await draw(width)).pipe(res.setHeader('Content-Type', 'image/png'));
  } catch {
    res.writeHead(400).end();
  }
}
async function forFetch(request) {
  const width = widthIn(request.url);
  if (width === 'hang') await hang(request);
  return new Response(Readable.toWeb(await draw(width)), { headers: { 'Content-Type': 'image/png' } });
}
async function forKoa(ctx) {
  if (ctx.query.wid === 'hang') return hang(ctx.res);
  ctx.type = 'png';
  ctx.body = await draw(ctx.query.wid);
}`;
const NODE = "import { imageSave } from 'express-image-save'; const renderer = forNode;";
const FETCH = "import { imageSave } from 'express-image-save/fetch'; const renderer = forFetch;";
const HTTP = "import { createServer } from 'node:http';";
const HONO = `${FETCH} import { serve } from '@hono/node-server'; import { Hono } from 'hono';`;
const NEST = `
import 'reflect-metadata';
import { Controller, Get, Module, Query, StreamableFile } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
class Pictures {
  async one(width) {
    return new StreamableFile(await draw(width), { type: 'image/png' });
  }
}
// Decorators, called as functions.
Query('wid')(Pictures.prototype, 'one', 0);
Get('is/image/:picture')(Pictures.prototype, 'one', Object.getOwnPropertyDescriptor(Pictures.prototype, 'one'));
Controller()(Pictures);
class AppModule {}
Module({ controllers: [Pictures] })(AppModule);`;

/** Each host: the heading of its code, which of its programs, what that imports, and what to replace. */
const HOSTS: Record<string, [heading: string, imports: string, index?: number, replaced?: [string, string]]> =
  {
    'Express 5': ['Express', `${NODE} import express from 'express';`],
    'Express 4': ['Express', `${NODE} import express from 'express4';`],
    connect: ['connect', `${NODE} ${HTTP} import connect from 'connect';`],
    polka: ['polka', `${NODE} import polka from 'polka';`],
    'node:http': ['node:http', `${NODE} ${HTTP}`],
    Fastify: ['Fastify', `${NODE} import Fastify from 'fastify'; import middie from '@fastify/middie';`],
    NestJS: ['NestJS', `${NODE} ${NEST}`],
    Koa: ['Koa', `${NODE.replace('forNode', 'forKoa')} ${HTTP} import Koa from 'koa';`],
    'Hono, around the app': ['Hono', HONO],
    'Hono, around a route': ['Hono', HONO, 1],
    'Hono, below app.mount': ['Hono', HONO, 2],
    h3: ['h3', `${FETCH} import { H3, serve } from 'h3';`],
    'an adapter': [
      'node:http with an adapter',
      `${FETCH} ${HTTP} import { getRequestListener } from '@hono/node-server';`,
    ],
  };
/** They look for a route of the method first, and have none for a `POST`. */
const GET_ALONE = ['polka', 'Fastify', 'NestJS'];
/** Their renderer here does not ask for its save. */
const NEVER_HANGS = ['Fastify', 'NestJS'];

const page = readFileSync('docs/hosts.md', 'utf8');
const PACKAGES =
  'express4 connect polka fastify @fastify/middie @nestjs/common @nestjs/core @nestjs/platform-express reflect-metadata ' +
  'rxjs koa hono @hono/node-server h3 morgan helmet compression express-session express-rate-limit';

const { file, cwd, start, run: runToEnd } = useProject(PACKAGES.split(' '));

/** Writes a program of the page into the project. Returns its name. */
function write(heading: string, imports: string, index = 0, [from, to] = ['', '']): string {
  const section = page.split(/^##+ /m).find((each) => each.startsWith(`${heading}\n`)) ?? '';
  writeFileSync(
    file('host.mjs'),
    `${RENDERERS}\n${imports}\n${blocks(section)[index]!.text.replace(from, to)}`,
  );
  return 'host.mjs';
}
const run = (...host: Parameters<typeof write>): Promise<Program> =>
  start(write(...host), { env: { SECRET: 'x' } });

test.each(Object.keys(HOSTS))('%s saves, refuses and serves', async (name) => {
  const { url, printed } = await run(...HOSTS[name]!);
  const command = (query: string): string => `${url}/is/image/shoe?${query}&req=saveToFile&name=x.png`;
  const done = await get(command('wid=40'), { headers: { 'Accept-Encoding': 'gzip', Range: 'bytes=0-9' } });
  expect([done.status, done.reply.status, done.reply.image?.width]).toEqual([200, 'done', 40]);
  const refused = await get(command('wid=none'));
  expect([refused.status, refused.reply.error?.code]).toEqual([
    403,
    expect.stringMatching(/^renderer-(status|failed)$/),
  ]);
  const ordinary = await get(`${url}/is/image/shoe?wid=40`);
  expect([ordinary.status, ordinary.headers['content-type']]).toEqual([200, 'image/png']);
  expect((await get(`${command('wid=40')}&name=y.png`)).reply.error?.code).toBe('repeated-command');
  if (!GET_ALONE.includes(name)) {
    expect((await get(command('wid=40'), { method: 'POST' })).reply.status).toBe('done');
  }
  expect(list(cwd('saved'))).toEqual(['x.png']);
  if (NEVER_HANGS.includes(name)) return;
  const leaving = request(command('wid=hang')).on('error', () => undefined);
  await printed(/rendering/);
  leaving.destroy();
  await printed(/aborted client-disconnected/);
});

test('saves from code', async () => {
  const before = `
    import { createImageSaver } from 'express-image-save';
    const file = { buffer: await sharp({ create: { width: 8, height: 5, channels: 3, background: 'teal' } }).jpeg().toBuffer() };`;
  const program = write('From code', before, 0, ["jpg' });\n", "jpg' });\nconsole.log(width, height);\n"]);
  expect(await runToEnd(program)).toBe('8 5\n');
});

test('the order of middleware: each works on the replies as on other responses', async () => {
  const imports = ['express', 'morgan', 'helmet', 'compression'].map(
    (name) => `import ${name} from '${name}';`,
  );
  imports.push(
    NODE,
    "import session from 'express-session'; import { rateLimit } from 'express-rate-limit';",
  );
  const { url, printed } = await run('The order of middleware', imports.join(' '));
  const save = async (width: string, headers = {}): Promise<Answer> =>
    get(`${url}/is/image/shoe?wid=${width}&req=saveToFile&name=x.png`, { headers });
  expect((await save('40')).reply.error?.code).toBe('not-authorized');
  await printed(/"GET \/is\/image\/shoe\S+ HTTP\/1\.1" 403/);
  const [cookie = ''] = (await get(`${url}/login`, { method: 'POST' })).headers['set-cookie'] ?? [];
  const headers = { cookie: cookie.split(';')[0], 'accept-encoding': 'gzip' };
  const done = await save('40', headers);
  expect([done.status, done.reply.status]).toEqual([200, 'done']);
  expect(done.headers).toMatchObject({ 'x-frame-options': 'SAMEORIGIN', 'cache-control': 'no-store' });
  expect((await save('none', headers)).reply.error?.code).toBe('renderer-status');
  expect((await save('40', headers)).status).toBe(200);
  expect((await save('40', headers)).status).toBe(429);
  expect(list(cwd('saved'))).toEqual(['x.png']);
});
