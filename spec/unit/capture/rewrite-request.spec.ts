// The renderer's request: a GET of the whole image without the save commands, and otherwise unchanged.
import type { IncomingMessage } from 'node:http';
import express4 from 'express4';
import { rewriteForRenderer } from '../../../lib/capture/rewrite-request.js';
import { get } from '../../support/client.js';
import { createDeferred } from '../../support/deferred.js';
import { start, stopAll, type Handler } from '../../support/host.js';

afterEach(stopAll);

interface HostRequest extends IncomingMessage {
  query?: unknown;
  app?: unknown;
  originalUrl?: string;
}

/** A request as Node reads it off the wire. */
async function received(headers: Record<string, string | string[]>, method = 'GET'): Promise<HostRequest> {
  const arrived = createDeferred<HostRequest>();
  const receive: Handler = (req, res) => {
    arrived.resolve(req);
    res.end();
  };
  const { url } = await start([receive], 'http.createServer');
  await get(`${url}/shoe?wid=8&req=saveToFile&name=a`, { headers, method });
  return arrived.promise;
}

const rewritten = async (
  headers: Record<string, string | string[]> = {},
  method?: string,
): Promise<HostRequest> => {
  const req = await received(headers, method);
  rewriteForRenderer(req, '/shoe?wid=8');
  return req;
};

it.each(['GET', 'POST'])('makes a %s of the command a GET of the image', async (method) => {
  expect(await rewritten({}, method)).toMatchObject({ method: 'GET', url: '/shoe?wid=8' });
});

describe('headers', () => {
  const partial: Record<string, string> = {
    'If-Match': '"x"',
    'If-None-Match': '"x"',
    'If-Modified-Since': 'Sun, 22 Nov 2026 13:28:00 GMT',
    'If-Unmodified-Since': 'Sun, 22 Nov 2026 13:28:00 GMT',
    'If-Range': '"x"',
    Range: 'bytes=0-9',
    'Accept-Encoding': 'gzip, br',
  };
  const whole: Record<string, string> = {
    Accept: 'image/avif',
    'Accept-Language': 'de',
    Cookie: 'a=1',
    Authorization: 'Basic eDp5',
    'Cache-Control': 'no-cache',
    'X-If-Match': 'y',
    'X-Range': 'y',
    Iffy: 'y',
  };

  test.each(Object.keys(partial))('lose %s, which could make the response partial', async (name) => {
    const req = await rewritten(partial);
    expect(req.headers).not.toHaveProperty([name.toLowerCase()]);
    expect(req.headersDistinct).not.toHaveProperty([name.toLowerCase()]);
  });

  test.each(Object.entries(whole))('keep %s', async (name, value) => {
    const req = await rewritten({ ...partial, ...whole });
    expect(req.headers[name.toLowerCase()]).toBe(value);
    expect(req.headersDistinct[name.toLowerCase()]).toEqual([value]);
  });

  it('are unchanged in rawHeaders', async () => {
    const req = await received(partial);
    const before = [...req.rawHeaders];
    rewriteForRenderer(req, '/shoe');
    expect(req.rawHeaders).toEqual(before);
    expect(req.rawHeaders).toEqual(expect.arrayContaining(['If-None-Match', 'Range']));
  });

  it('that earlier middleware has read stay the same', async () => {
    const req = await received(partial);
    const [headers, distinct] = [req.headers, req.headersDistinct];
    rewriteForRenderer(req, '/shoe');
    expect(headers).not.toHaveProperty('range');
    expect(distinct).not.toHaveProperty('range');
  });
});

describe('the rest of the request', () => {
  it('is unchanged: originalUrl, and an absent query', async () => {
    const req = await received({});
    req.originalUrl = '/is/image/shoe?wid=8&req=saveToFile&name=a';
    const before = Object.getPrototypeOf(req) as unknown;
    rewriteForRenderer(req, '/shoe?wid=8');
    expect(req.originalUrl).toBe('/is/image/shoe?wid=8&req=saveToFile&name=a');
    expect('query' in req).toBe(false);
    expect(Object.getPrototypeOf(req)).toBe(before);
  });
});

describe('a stored query', () => {
  /** A request whose query was stored, rewritten. */
  async function withQuery(
    query: unknown,
    app?: unknown,
    url = '/shoe?wid=8&a%5Bb%5D=1',
  ): Promise<HostRequest> {
    const req = Object.assign(await received({}), { query }, app === undefined ? {} : { app });
    rewriteForRenderer(req, url);
    return req;
  }
  const stale = { wid: '8', req: 'saveToFile', name: 'a' };

  it('agrees with the URL', async () => {
    expect({ ...((await withQuery(stale)).query as object) }).toEqual({ wid: '8', 'a[b]': '1' });
  });

  it('is parsed by the parser of its application', async () => {
    const extended = express4().set('query parser', 'extended');
    const simple = express4().set('query parser', 'simple');
    const own = express4().set('query parser', (query: string) => ({ own: query }));
    expect((await withQuery(stale, extended)).query).toEqual({ wid: '8', a: { b: '1' } });
    expect({ ...((await withQuery(stale, simple)).query as object) }).toEqual({ wid: '8', 'a[b]': '1' });
    expect((await withQuery(stale, own)).query).toEqual({ own: 'wid=8&a%5Bb%5D=1' });
  });

  it('is empty when every command was removed', async () => {
    expect({ ...((await withQuery(stale, undefined, '/shoe')).query as object) }).toEqual({});
    expect((await withQuery(stale, express4(), '/shoe')).query).toEqual({});
  });

  it('contains everything after the first question mark', async () => {
    expect({ ...((await withQuery(stale, undefined, '/shoe?a=b?c=d')).query as object) }).toEqual({
      a: 'b?c=d',
    });
  });

  test.each([[undefined], ['wid=8'], [() => stale]])(
    'is left alone if it is not an object: %p',
    async (query) => {
      expect((await withQuery(query)).query).toBe(query);
    },
  );

  it('is parsed by Node if the application has no parser', async () => {
    for (const app of [{}, { get: () => undefined }, null]) {
      expect({ ...((await withQuery(stale, app, '/shoe?wid=8')).query as object) }).toEqual({ wid: '8' });
    }
  });

  it('stays computed if Express 5 computes it', async () => {
    const req = await received({});
    const prototype = Object.create(Object.getPrototypeOf(req) as object, {
      query: {
        get(this: IncomingMessage) {
          return { of: this.url };
        },
      },
    }) as object;
    Object.setPrototypeOf(req, prototype);
    rewriteForRenderer(req, '/shoe?wid=8');
    expect(req.query).toEqual({ of: '/shoe?wid=8' });
    expect(Object.hasOwn(req, 'query')).toBe(false);
  });

  test.each([
    ['cannot be assigned', { value: stale, configurable: true, writable: false }],
    ['is computed', { get: () => stale, configurable: true }],
  ])('agrees with the URL too if the host defined it so that it %s', async (_how, descriptor) => {
    const req = await received({});
    Object.defineProperty(req, 'query', descriptor);
    rewriteForRenderer(req, '/shoe?wid=8');
    expect({ ...(req.query as object) }).toEqual({ wid: '8' });
  });
});
