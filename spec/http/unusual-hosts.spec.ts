// HTTP/2, code that bypasses the response's methods, tracers, domains, broken requests.
import diagnostics from 'node:diagnostics_channel';
import { readdirSync, readFileSync } from 'node:fs';
import { once } from 'node:events';
import { OutgoingMessage, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2';
import { connect, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { imageSave, parseReply } from '../../lib/index.js';
import { get } from '../support/client.js';
import type { Handler } from '../support/host.js';
import { built, runInChild } from '../support/run-in-child.js';
import { SAVE, useSaveFixture } from '../support/use-save-fixture.js';

const { image, folder, serve, save } = useSaveFixture();

const expectSaved = (text: string): void => {
  expect(parseReply(text).status).toBe('done');
  expect(readFileSync(join(folder(), 'x.jpg')).equals(image())).toBe(true);
};

test('gets a save command over HTTP/2 to the error handler, and any other request to the renderer', async () => {
  const middleware = imageSave({ savePath: folder() });
  const server = createHttp2Server((req, res) => {
    // The types know that it is not supported.
    middleware(req as unknown as IncomingMessage, res as unknown as ServerResponse, (error?: unknown) => {
      res.writeHead(error === undefined ? 200 : 500).end(String(error));
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const client = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const getHttp2 = async (path: string): Promise<[status: number | undefined, text: string]> => {
    const stream = client.request({ ':path': path });
    const [headers] = (await once(stream, 'response')) as [{ ':status'?: number }];
    return [headers[':status'], await text(stream)];
  };
  expect(await getHttp2('/x?name=x.jpg')).toEqual([200, 'undefined']);
  expect(await getHttp2(SAVE)).toEqual([
    500,
    'TypeError: express-image-save works on HTTP/1 requests; serve HTTP/2 by a proxy in front',
  ]);
  expect(readdirSync(folder())).toEqual([]);
  client.destroy();
  server.close();
});

test('refuses a name that a host has cut within a character', async () => {
  const renderer = jest.fn();
  const rewrite: Handler = (req, _res, next) => {
    // No client can send half a surrogate pair; a host that rewrites the URL can hand it on.
    req.url = `/x?req=saveToFile&name=${'shoe👟'.slice(0, 5)}.jpg`;
    next();
  };
  const { status, reply } = await save(renderer, { before: [rewrite], publicUrl: '/saved/' });
  expect([status, reply.error?.code]).toEqual([403, 'name-invalid']);
  expect(renderer).not.toHaveBeenCalled();
});

test('keeps a renderer’s header out of the reply, also if set past the response’s methods', async () => {
  const before: Handler = (_req, res, next) => {
    res.setHeader('X-Before', 'kept');
    res.setHeader('X-Changed', 'as it was');
    res.setHeader('X-Removed', 'as it was');
    next();
  };
  const renderer: Handler = (_req, res) => {
    OutgoingMessage.prototype.setHeader.call(res, 'X-Renderer', 'leaked');
    OutgoingMessage.prototype.setHeader.call(res, 'X-Changed', 'leaked');
    OutgoingMessage.prototype.removeHeader.call(res, 'X-Removed');
    res.end(image());
  };
  const { headers, reply } = await save(renderer, { before: [before] });
  expect(reply.status).toBe('done');
  expect(headers).toMatchObject({
    'x-before': 'kept',
    'x-changed': 'as it was',
    'x-removed': 'as it was',
  });
  expect(headers).not.toHaveProperty('x-renderer');
});

const notImplemented = (): never => {
  throw new Error('as in fetch-to-node');
};
test.each(['socket', 'method'] as const)('replies where the host lets nothing set %s', async (name) => {
  for (const setter of [{}, { set: notImplemented }]) {
    const lock: Handler = (req, _res, next) => {
      const value = req[name];
      Object.defineProperty(req, name, { get: () => value, ...setter, configurable: false });
      next();
    };
    expectSaved((await save(undefined, { before: [lock] })).body.toString());
  }
});

test('leaves a response in its domain while it renders and after the reply', async () => {
  const { answer, errors, active } = (await runInChild(`
    import domain from 'node:domain';
    import { once } from 'node:events';
    import { createServer } from 'node:http';
    import { imageSave } from ${built('lib/index.ts')};
    const save = imageSave({ savePath: ${JSON.stringify(folder())} });
    const [errors, active] = [[], []];
    const requests = createServer().listen(0, '127.0.0.1');
    await once(requests, 'listening');
    const reply = fetch('http://127.0.0.1:' + requests.address().port + ${JSON.stringify(SAVE)});
    const [req, res] = await once(requests, 'request');
    const own = domain.create().on('error', (error) => errors.push(error.message));
    own.add(res);
    await new Promise((resolve) => save(req, res, resolve));
    // Here no domain is active. That of the response becomes active for its listeners, and gets its errors.
    const isActive = () => active.push(process.domain === own);
    isActive();
    res.once('step', isActive).emit('step');
    res.emit('error', new Error('while it renders'));
    res.end(Buffer.from('${image().toString('base64')}', 'base64'));
    const answer = await (await reply).text();
    res.once('step', isActive).emit('step');
    requests.close();
    console.log(JSON.stringify({ answer, errors, active }));
  `)) as { answer: string; errors: string[]; active: boolean[] };
  expectSaved(answer);
  expect([errors, active]).toEqual([['while it renders'], [false, true, true]]);
});

test('announces one response for each save to Node’s diagnostics', async () => {
  const created: unknown[] = [];
  const note = (message: unknown): void => {
    created.push(message);
  };
  const { url } = await serve();
  diagnostics.subscribe('http.server.response.created', note);
  try {
    await get(url);
    const plain = created.length;
    await get(url + SAVE);
    // Node publishes this channel since version 22.
    expect(created.length).toBe(2 * plain);
  } finally {
    diagnostics.unsubscribe('http.server.response.created', note);
  }
});

test('replies to a POST whose renderer destroys the request before its body arrives, then closes', async () => {
  const { port } = await serve((req, res) => {
    res.end(image());
    req.destroy();
  });
  const socket = connect(port, '127.0.0.1');
  socket.write(`POST ${SAVE} HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n`);
  socket.write(Buffer.alloc(4_000_000));
  let text = '';
  for await (const chunk of socket.setEncoding('latin1')) text += String(chunk);
  expect(text).toMatch(/^HTTP\/1\.1 200 /);
  expect(text).toContain('\nstatus=done\n');
  expect(readdirSync(folder())).toEqual(['x.jpg']);
});
