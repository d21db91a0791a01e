// From a client's command to the reply: ordinary requests, refusals before rendering, the renderer's request.
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import connect from 'connect';
import express from 'express';
import express4 from 'express4';
import { imageSave, SaveError, type ImageSaveOptions, type StageTimes } from '../../lib/index.js';
import { get } from '../support/client.js';
import { linkDir, list, makeTempDir } from '../support/temp-dir.js';
import { hosts, start, type Handler } from '../support/host.js';
import { jpeg } from '../support/images.js';
import { SAVE, useSaveFixture } from '../support/use-save-fixture.js';

const { image, folder, records, serve, save } = useSaveFixture(() => jpeg(40, 30));
let asked: number;

beforeEach(() => {
  asked = 0;
});

const renderer: Handler = (_req, res) => {
  asked++;
  res.setHeader('Content-Type', 'image/jpeg');
  res.end(image());
};

const send = (
  path: string,
  options: ImageSaveOptions = {},
  request: Parameters<typeof get>[1] = {},
): ReturnType<typeof save> => save(renderer, options, path, request);

/** All properties of a request and a response by which a renderer could notice the middleware. */
function fingerprint(req: IncomingMessage, res: ServerResponse): unknown {
  const { url, method, headers } = req;
  const describeKeys = (object: object): unknown =>
    Reflect.ownKeys(object).map((key) => {
      const { value, ...rest } = Object.getOwnPropertyDescriptor(object, key) as { value?: unknown };
      return [String(key), rest, typeof value, typeof value === 'function' ? value : null] as unknown;
    });
  return {
    url,
    method,
    headers: { ...headers, host: '' },
    query: (req as express.Request).query,
    req: describeKeys(req),
    res: describeKeys(res),
    prototypes: [Object.getPrototypeOf(res), Object.getPrototypeOf(Object.getPrototypeOf(res))],
    listeners: res.eventNames().map((name) => [name, res.listenerCount(name)]),
  };
}

test.each(['/', '/is/image/shoe?wid=800&fmt=png', '/x?%zz=%&.req=saveToFile&r%zzeq=saveToFile'])(
  'an ordinary request passes %s to the renderer unchanged',
  async (path) => {
    const prints: unknown[] = [];
    const look: Handler = (req, res, next) => {
      prints.push(fingerprint(req, res));
      next();
    };
    const looking: Handler = (req, res) => look(req, res, () => renderer(req, res, () => undefined));
    const answer = await save(looking, { before: [look] }, path, {
      headers: { range: 'bytes=0-1', 'if-none-match': '"x"', 'accept-encoding': 'gzip' },
    });
    expect(answer.body.equals(image())).toBe(true);
    expect(prints[1]).toEqual(prints[0]);
    expect(list(folder())).toEqual([]);
  },
);

describe('the command', () => {
  test.each([
    ['req=saveToFile&name=x.jpg', 'x.jpg'],
    ['r%65q=save%54o%46ile&n%61me=%78.jpg', 'x.jpg'],
    ['src=is(a?req=img&name=y.jpg)&req=saveToFile&name=x.jpg', 'x.jpg'],
  ])('saves for %s the file %s', async (query, name) => {
    const answer = await send(`/i?${query}`);
    expect(answer.reply).toMatchObject({ status: 'done', name });
    expect(list(folder())).toEqual([name]);
  });

  test('gives the renderer the rest of the query byte for byte, as a GET of the whole image', async () => {
    const seen: unknown[] = [];
    const look: Handler = (req, res, next) => {
      const { url, originalUrl, method, headers, rawHeaders, query } = req as express.Request;
      seen.push({
        url,
        originalUrl,
        method,
        partial: [...Object.keys(headers), ...Object.keys(req.headersDistinct)].filter((name) =>
          /^if-|range|encoding/.test(name),
        ),
        raw: rawHeaders.includes('Range'),
        query,
      });
      return renderer(req, res, next);
    };
    const headers = {
      'If-None-Match': '*',
      'if-modified-since': 'x',
      Range: 'bytes=0-1',
      'If-Range': 'x',
      'Accept-Encoding': 'gzip',
      Accept: '*/*',
    };
    for (const host of ['Express 5', 'Express 4']) {
      const path = '/i?wid=8%30&req=saveToFile&&x=%zz&name=x.jpg&timeout=5000&b=(c&name=d)';
      const answer = await save(look, { host }, path, { method: 'POST', headers });
      expect(answer.reply.status).toBe('done');
      expect(seen.pop()).toMatchObject({
        url: '/i?wid=8%30&&x=%zz&b=(c&name=d)',
        originalUrl: path,
        method: 'GET',
        partial: [],
        raw: true,
        query: { wid: '80', name: 'd)' },
      });
    }
  });

  test.each(['Express 5', 'Express 4'])(
    'in %s, removes the question mark of an emptied query, below a mount point too',
    async (host) => {
      const seen: unknown[] = [];
      const app = host === 'Express 5' ? express() : express4();
      app.use('/is/image', imageSave({ savePath: folder() }), (req, res) => {
        seen.push(req.url, req.originalUrl, req.query);
        res.end(image());
      });
      const running = await start([app], host);
      await get(`${running.url}/is/image/shoe?req=saveToFile&name=x.jpg`);
      expect(seen).toEqual(['/shoe', '/is/image/shoe?req=saveToFile&name=x.jpg', {}]);
    },
  );

  test.each(['HEAD', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'])('refuses a command sent by %s', async (method) => {
    const { url, server } = await serve(renderer);
    Object.assign(server, { rejectNonStandardBodyWrites: true }); // Node throws at a body for HEAD.
    const answer = await get(url + SAVE, { method });
    expect(answer.status).toBe(403);
    if (method !== 'HEAD') expect(answer.reply.error?.code).toBe('method-not-allowed');
    expect(asked).toBe(0);
    expect(list(folder())).toEqual([]);
  });

  test('obeys the query of a POST, not its body', async () => {
    const post = { method: 'POST', body: 'req=img&name=y.jpg' };
    const answer = await send(SAVE, {}, post);
    expect(answer.reply).toMatchObject({ status: 'done', name: 'x.jpg' });
  });

  test.each([
    ['req=saveToFile', 'name-missing'],
    ['req=saveToFile,json&name=x.jpg', 'unknown-req-option'],
    ['req=saveToFile&req=img&name=x.jpg', 'repeated-command'],
    ['req=saveToFile&name=%zz.jpg', 'bad-escape'],
    ['req=saveToFile&name=x.jpg&timeout=0', 'timeout-invalid'],
    ['req=saveToFile&name=../x.jpg', 'name-invalid'],
    ['req=saveToFile&name=x.php', 'unknown-extension'],
    ['req=saveToFile&name=x.svg', 'unknown-extension'],
    ['req=saveToFile&name=missing/x.jpg', 'folder-missing'],
    ['req=saveToFile&name=outside/x.jpg', 'outside-save-path'],
    ['req=saveToFile&name=folder.jpg', 'not-a-file'],
  ])('refuses %s with %s before it calls the renderer', async (query, code) => {
    mkdirSync(join(folder(), 'folder.jpg'));
    if (code === 'outside-save-path') linkDir(makeTempDir(), join(folder(), 'outside'));
    const before = list(folder());
    const answer = await send(`/x?${query}`);
    expect(answer.status).toBe(403);
    expect(answer.reply).toMatchObject({ status: 'failed', error: { code } });
    expect(answer.reply.error?.message).not.toContain(folder());
    expect(asked).toBe(0);
    expect(list(folder())).toEqual(before);
  });

  test('refuses an image of another format than its extension', async () => {
    const answer = await send('/x?req=saveToFile&name=x.png');
    expect(answer.reply.error?.code).toBe('wrong-extension');
    expect(list(folder())).toEqual([]);
  });
});

describe('options', () => {
  const codeOf = async (
    options: ImageSaveOptions,
    more: Parameters<typeof get>[1] = {},
  ): Promise<string | undefined> => (await send(SAVE, options, more)).reply.error?.code;

  test('savePath: no path disables saving, a missing folder refuses, a function chooses', async () => {
    expect(await codeOf({ savePath: '' })).toBe('saving-disabled');
    expect(await codeOf({ savePath: undefined })).toBe('saving-disabled');
    expect(await codeOf({ savePath: join(folder(), 'later') })).toBe('save-path-missing');
    expect(await codeOf({ savePath: () => '' })).toBe('saving-disabled');
    expect(await codeOf({ savePath: () => Promise.reject(new Error('no')) })).toBe('save-path-missing');
    const busy = new SaveError('too-busy', { retryAfter: 1 });
    expect(await codeOf({ savePath: () => Promise.reject(busy) })).toBe('too-busy');
    expect(asked).toBe(0);
    mkdirSync(join(folder(), 'tenant'));
    expect(
      await codeOf(
        { savePath: (req) => Promise.resolve(join(folder(), req.headers['x-tenant'] as string)) },
        { headers: { 'x-tenant': 'tenant' } },
      ),
    ).toBeUndefined();
    expect(list(join(folder(), 'tenant'))).toEqual(['x.jpg']);
  });

  test('authorize: only true allows a save; the hook gets the original request and the name', async () => {
    const seen: unknown[] = [];
    const note: ImageSaveOptions['authorize'] = (req, save) => {
      seen.push(req.url, save);
      return true;
    };
    expect(await codeOf({ authorize: note })).toBeUndefined();
    expect(seen).toEqual([SAVE, { name: 'x.jpg' }]);
    expect(await codeOf({ authorize: () => Promise.resolve(true) })).toBeUndefined();
    asked = 0;
    const fail = (): never => {
      throw new Error('no');
    };
    for (const answer of [() => false, () => 'yes', () => Promise.reject(new Error('no')), fail]) {
      expect(await codeOf({ authorize: answer as never })).toBe('not-authorized');
    }
    expect(asked).toBe(0);
  });

  test('allowCrossSite: refuses a browser on another site by default', async () => {
    const headers = { 'sec-fetch-site': 'cross-site' };
    expect(await codeOf({}, { headers })).toBe('cross-site');
    expect(asked).toBe(0);
    expect(await codeOf({ allowCrossSite: true }, { headers })).toBeUndefined();
    expect(await codeOf({}, { headers: { 'sec-fetch-site': 'same-site' } })).toBeUndefined();
  });

  test('overwrite: false keeps an existing file without calling the renderer', async () => {
    writeFileSync(join(folder(), 'x.jpg'), 'old');
    expect(await codeOf({ overwrite: false })).toBe('file-exists');
    expect(asked).toBe(0);
    expect(readFileSync(join(folder(), 'x.jpg'), 'utf8')).toBe('old');
    expect(await codeOf({})).toBeUndefined();
  });

  test('maxPixels and maxBytes refuse images above them', async () => {
    expect(await codeOf({ maxPixels: 1199 })).toBe('too-many-pixels');
    expect(await codeOf({ maxBytes: image().length - 1 })).toBe('too-many-bytes');
    expect(await codeOf({ maxPixels: 1200, maxBytes: image().length })).toBeUndefined();
  });

  test.each([true, false])('durable: %s saves with each value of verify', async (durable) => {
    expect(await codeOf({ durable, verify: 'header' })).toBeUndefined();
    expect(await codeOf({ durable, verify: 'pixels' })).toBeUndefined();
  });

  test("verify: 'header' saves an image without decoding its pixels", async () => {
    const cutting: Handler = (_req, res) => res.end(image().subarray(0, -20));
    expect((await save(cutting, { verify: 'header' })).reply.status).toBe('done');
  });

  test('onSave: is called once per command', async () => {
    expect(await codeOf({})).toBeUndefined();
    expect(await codeOf({ maxPixels: 1 })).toBe('too-many-pixels');
    const either = {
      rendererStatus: 200,
      milliseconds: expect.any(Number) as number,
      stages: expect.any(Object) as StageTimes,
    };
    expect(records).toEqual([
      {
        outcome: 'done',
        name: 'x.jpg',
        bytes: image().length,
        pixels: 1200,
        width: 40,
        height: 30,
        type: 'image/jpeg',
        ...either,
      },
      { outcome: 'failed', code: 'too-many-pixels', name: 'x.jpg', ...either },
    ]);
  });
});

describe('the reply', () => {
  test('describes the saved file truly', async () => {
    const answer = await send(SAVE);
    const stats = statSync(join(folder(), 'x.jpg'));
    writeFileSync(join(folder(), 'plain'), '');
    const plain = statSync(join(folder(), 'plain'));
    expect(answer.body.toString('latin1')).toMatch(
      new RegExp(
        '^#S7Z OK\\n#\\w{3} \\w{3} \\d\\d \\d\\d:\\d\\d:\\d\\d UTC \\d{4}\\nstatus=done\\n' +
          `lastUpdated=${Math.floor(stats.mtimeMs)}\\npixelsTotal=1200\\nname=x.jpg\\nimage.width=40\\nimage.height=30\\n` +
          `image.type=image/jpeg\\nimage.length=${stats.size}\\n$`,
      ),
    );
    expect(stats.mode).toBe(plain.mode);
  });

  test.each(Object.keys(hosts))(
    'in %s, carries the headers of the middleware and of earlier middleware, not the renderer’s',
    async (host) => {
      const before: Handler = (_req, res, next) => {
        res.setHeader('X-Before', ['a', 'b']);
        res.setHeader('ETag', '"before"');
        res.setHeader('Last-Modified', 'before');
        res.setHeader('Content-Type', 'image/x');
        next();
      };
      const late: Handler = (_req, res, next) => {
        res.setHeader('X-After', 'c');
        res.setHeader('Set-Cookie', 'd=e');
        res.removeHeader('X-Before');
        next();
      };
      const rendering: Handler = (req, res, next) => late(req, res, () => renderer(req, res, next));
      const { url } = await serve(rendering, { before: [before], host });
      for (const name of ['x.jpg', 'x.png', 'x.php']) {
        const { headers } = await get(`${url}/x?req=saveToFile&name=${name}`);
        expect(headers).toMatchObject({
          'x-before': 'a, b',
          'content-type': 'text/plain',
          'cache-control': 'no-store',
          'x-content-type-options': 'nosniff',
        });
        for (const none of ['etag', 'last-modified', 'x-after', 'set-cookie', 'transfer-encoding']) {
          expect(headers).not.toHaveProperty(none);
        }
      }
    },
  );

  test('comes once for each of many commands pipelined on a connection', async () => {
    const { port } = await serve(renderer);
    const socket = connectTcp(port, '127.0.0.1');
    const count = 30;
    for (let at = 0; at < count; at++) {
      socket.write(
        `GET /x?req=saveToFile&name=${at}.jpg HTTP/1.1\r\nHost: x\r\n${at === count - 1 ? 'Connection: close\r\n' : ''}\r\n`,
      );
    }
    let text = '';
    for await (const chunk of socket) text += String(chunk);
    expect(text.match(/^name=\d+\.jpg$/gm)).toEqual(
      Array.from({ length: count }, (_, at) => `name=${at}.jpg`),
    );
    expect(text.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(count);
  });
});

test('saves once when another middleware is mounted behind the first', async () => {
  const [first, second] = [folder(), makeTempDir()];
  const { url } = await start([imageSave({ savePath: first }), imageSave({ savePath: second }), renderer]);
  expect((await get(url + SAVE)).reply.status).toBe('done');
  expect([list(first), list(second)]).toEqual([['x.jpg'], []]);
});

describe('$object$ in the name', () => {
  const mounts: Record<string, (save: Handler) => Handler> = {
    'Express 5': (save) => express().use('/is/image', save as express.RequestHandler, renderer) as Handler,
    'Express 4': (save) => express4().use('/is/image', save as express.RequestHandler, renderer) as Handler,
    connect: (save) => connect().use('/is/image', save).use('/is/image', renderer),
  };

  test.each(Object.keys(mounts))('is the path below the mount of %s', async (host) => {
    mkdirSync(join(folder(), 'cat'));
    const { url } = await start([mounts[host]!(imageSave({ savePath: folder() }))], 'http.createServer');
    const { reply } = await get(`${url}/is/image/cat/a%20b?wid=8&req=saveToFile&name=$object$-small.jpg`);
    expect(reply).toMatchObject({ status: 'done', name: 'cat/a b-small.jpg' });
    expect(list(join(folder(), 'cat'))).toEqual(['a b-small.jpg']);
  });

  test.each([
    ['/x/%2e%2e%2f%2e%2e%2fa.jpg', 'name-invalid'],
    ['/%zz.jpg', 'bad-escape'],
  ])('is checked like any other name: %s is refused with %s before rendering', async (path, code) => {
    const { reply } = await send(`${path}?req=saveToFile&name=$object$`);
    expect([reply.error?.code, asked, list(folder())]).toEqual([code, 0, []]);
  });
});
