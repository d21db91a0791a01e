// The renderer's request: a GET of the whole image without the save commands, and otherwise unchanged.
import type { IncomingMessage } from 'node:http';
import { parse } from 'node:querystring';
import express from 'express';
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

  it('lose those that could make the response partial, and keep all others', async () => {
    const req = await rewritten({ ...partial, ...whole });
    const { connection, host, ...headers } = req.headers;
    expect([connection, host]).toEqual([expect.any(String), expect.any(String)]);
    const kept = Object.entries(whole).map(([name, value]) => [name.toLowerCase(), value] as const);
    expect(headers).toEqual(Object.fromEntries(kept));
    expect(req.headersDistinct).toMatchObject(
      Object.fromEntries(kept.map(([name, value]) => [name, [value]])),
    );
    expect(Object.keys(req.headersDistinct).sort()).toEqual(Object.keys(req.headers).sort());
  });

  it('are unchanged in rawHeaders', async () => {
    const req = await received(partial);
    const before = [...req.rawHeaders];
    rewriteForRenderer(req, '/shoe');
    expect(req.rawHeaders).toEqual(before);
    expect(req.rawHeaders).toEqual(expect.arrayContaining(['If-None-Match', 'Range']));
  });

  test.each<[string, string, unknown]>([
    ['the host has no headersDistinct', 'headersDistinct', undefined],
    ['the host has no headers', 'headers', undefined],
    ['earlier middleware has frozen them', 'headers', Object.freeze({ range: 'bytes=0-9', accept: 'x' })],
    ['earlier middleware has frozen headersDistinct', 'headersDistinct', Object.freeze({ range: ['x'] })],
    ['the host keeps their case', 'headers', { Range: 'bytes=0-9', 'If-None-Match': '"x"', accept: 'x' }],
  ])('are removed where %s', async (_where, name, value) => {
    const req = Object.defineProperty(await received(partial), name, { value, configurable: true });
    rewriteForRenderer(req, '/shoe');
    const names = Object.keys({ ...req.headers, ...(name === 'headersDistinct' && req.headersDistinct) });
    expect(names.filter((each) => /^(?:range|if-|accept-enc)/i.test(each))).toEqual([]);
  });

  it('that earlier middleware has read stay the same', async () => {
    const req = await received(partial);
    const [headers, distinct] = [req.headers, req.headersDistinct];
    rewriteForRenderer(req, '/shoe');
    expect(headers).not.toHaveProperty('range');
    expect(distinct).not.toHaveProperty('range');
  });
});

describe('a stored query', () => {
  type Query = Record<string, unknown>;
  const SAVE = 'req=saveToFile&name=a&timeout=5000';

  /** Middleware that checks or changes a query, and the query that it leaves to the renderer. */
  const rows: [
    what: string,
    kept: string,
    change: (query: Query) => unknown,
    rest: Query,
    command?: string,
  ][] = [
    ['loses the command alone', 'wid=8&a%5Bb%5D=1', (query) => query, { wid: '8', a: { b: '1' } }],
    ['is empty where only the command was', '', (query) => query, {}],
    ['loses it in any spelling', 'wid=8', (query) => query, { wid: '8' }, 'REQ=savetofile&n%61me=a'],
    ['stays clamped', 'wid=40000', (query) => ({ ...query, wid: '2000' }), { wid: '2000' }],
    ['stays converted', 'wid=8', (query) => ({ ...query, wid: Number(query['wid']) }), { wid: 8 }],
    ['keeps one of several values', 'wid=8&wid=9', (query) => ({ ...query, wid: '9' }), { wid: '9' }],
    ['stays without what was removed', 'wid=8&$where=1', (query) => ({ wid: query['wid'] }), { wid: '8' }],
    ['keeps what was added', 'wid=8', (query) => ({ ...query, tenant: 't' }), { wid: '8', tenant: 't' }],
    [
      'loses it from keys in lower case',
      'WID=8',
      (query) => Object.fromEntries(Object.entries(query).map(([key, value]) => [key.toLowerCase(), value])),
      { wid: '8' },
      'REQ=saveToFile&Name=b',
    ],
    [
      'keeps what was added under a name of another case',
      'wid=8',
      (query) => ({ ...query, Name: 'x' }),
      { wid: '8', Name: 'x' },
    ],
    ['that is frozen', 'wid=8', (query) => Object.freeze({ ...query, wid: 9 }), { wid: 9 }],
    [
      'with a getter keeps it',
      'wid=8',
      (query) =>
        Object.create(null, {
          ...Object.getOwnPropertyDescriptors(query),
          wid: { get: () => 7, enumerable: true },
        }) as Query,
      { wid: 7 },
    ],
    [
      'keeps what a nested request means to the parser',
      'src=is(a?name=x)',
      (query) => query,
      { src: 'is(a?name=x)' },
    ],
    ['contains all that follows the first question mark', 'a=b?c=d', (query) => query, { a: 'b?c=d' }],
  ];

  describe.each(['Express 4', 'Express 5'])('of %s', (host) => {
    test.each(rows)('%s: %s', async (_what, kept, change, rest, command = SAVE) => {
      const seen = createDeferred<unknown>();
      const app = host === 'Express 4' ? express4() : express();
      app.set('query parser', 'extended');
      app.use((req, res) => {
        Object.defineProperty(req, 'query', {
          value: change(req.query),
          configurable: true,
          enumerable: true,
          writable: true,
        });
        rewriteForRenderer(req, kept === '' ? '/' : `/?${kept}`);
        seen.resolve(req.query);
        res.end();
      });
      const { url } = await start([app], 'http.createServer');
      await get(`${url}/?${kept}&${command}`);
      expect({ ...((await seen.promise) as Query) }).toEqual(rest);
    });
  });

  /** A request with a stored query, rewritten. */
  async function withQuery(query: unknown, app?: unknown, rest = 'wid=8&a%5Bb%5D=1'): Promise<HostRequest> {
    const req = Object.assign(await received({}), { query }, app === undefined ? {} : { app });
    req.url = `/shoe?${rest}&${SAVE}`;
    rewriteForRenderer(req, `/shoe?${rest}`);
    return req;
  }
  const stored = { wid: '8', 'a[b]': '1', req: 'saveToFile', name: 'a', timeout: '5000' };
  const left = { wid: '8', 'a[b]': '1' };

  test.each([
    ['extended', 'extended'],
    ['simple', 'simple'],
    ['no', false],
  ])('was parsed by another application than the one with %s parser', async (_what, parser) => {
    expect((await withQuery(stored, express4().set('query parser', parser))).query).toEqual(left);
    expect(stored).toHaveProperty('name');
  });

  it('may be a URLSearchParams', async () => {
    const query = new URLSearchParams(`wid=2&name=x)&${SAVE}&tenant=t`);
    const { query: rest } = await withQuery(query, undefined, 'wid=8&src=is(a?b&name=x)');
    expect(String(rest)).toBe(String(new URLSearchParams('wid=2&tenant=t&name=x)')));
    expect(query.has('req')).toBe(true);
  });

  it('may be a Map', async () => {
    const query = new Map(Object.entries({ ...stored, tenant: 't' }));
    const { query: rest } = await withQuery(query);
    expect(rest).toEqual(new Map(Object.entries({ ...left, tenant: 't' })));
    expect(query.has('req')).toBe(true);
  });

  it('may come from a parser that refuses an empty query', async () => {
    const parser = (query: string): unknown => {
      if (query === '') throw new Error('no query');
      return parse(query);
    };
    const { query } = await withQuery(stored, express4().set('query parser', parser), '');
    expect(query).toEqual(left);
  });

  it('may hold the query as its parser has made it', async () => {
    const app = express4().set('query parser', (query: string) => ({ raw: query }));
    const query = { raw: `wid=8&a%5Bb%5D=1&${SAVE}`, tenant: 't' };
    expect((await withQuery(query, app)).query).toEqual({ raw: 'wid=8&a%5Bb%5D=1', tenant: 't' });
  });

  test.each([[undefined], ['wid=8'], [() => stored], [null]])(
    'is left alone if it is not an object: %p',
    async (query) => {
      expect((await withQuery(query)).query).toBe(query);
    },
  );

  it('is parsed by Node if the application has no parser', async () => {
    for (const app of [{}, { get: () => undefined }, null]) {
      expect((await withQuery(stored, app)).query).toEqual(left);
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

  test.each<[string, PropertyDescriptor]>([
    ['cannot be assigned', { value: { ...stored }, configurable: true, writable: false }],
    ['is computed', { get: () => stored, configurable: true }],
    ['can be assigned only', { value: { ...stored }, configurable: false, writable: true }],
    ['cannot be changed at all', { value: { ...stored }, configurable: false, writable: false }],
  ])('loses the command too if the host defined it so that it %s', async (_how, descriptor) => {
    const req = await received({});
    Object.defineProperty(req, 'query', descriptor);
    rewriteForRenderer(req, '/shoe?wid=8');
    expect(req.query).toEqual({ ...left, timeout: '5000' });
  });
});
