// The Fetch handler: ordinary requests pass untouched, commands save what the handler returns.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'node:querystring';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { imageSave, saveOf, type FetchHandler, type FetchImageSaveOptions } from '../../lib/fetch.js';
import { parseReply, SaveError, type SaveRecord, type SaveReply } from '../../lib/index.js';
import { createSigner } from '../../lib/sign.js';
import { createDeferred, eventually } from '../support/deferred.js';
import { refusedRenderings } from '../support/renderings.js';
import { LONG, useManualDeadline } from '../support/manual-timer.js';
import { useSaveFixture } from '../support/use-save-fixture.js';

const { image, folder } = useSaveFixture();
const COMMAND = 'req=saveToFile&name=x.jpg';

type Handler = FetchHandler<Request, unknown[]>;

const sendImage = (): Response => new Response(image());
const wrap = (
  handler: Handler = sendImage,
  options: FetchImageSaveOptions = {},
): ReturnType<typeof imageSave> => imageSave(handler, { savePath: folder(), ...options });

/** Sends a command and reads the reply. */
async function save(
  handler: Handler,
  {
    query = COMMAND,
    init = {},
    ...options
  }: FetchImageSaveOptions & { query?: string; init?: RequestInit } = {},
): Promise<SaveReply & { status: string; code: string | undefined }> {
  const handle = wrap(handler, options);
  const response = await handle(new Request(`http://host/cat/shoe?wid=8&${query}`, init));
  expect([200, 403]).toContain(response.status);
  const reply = parseReply(await response.text());
  await handle.idle();
  return { ...reply, code: reply.error?.code };
}

const saved = (name = 'x.jpg'): Buffer => readFileSync(join(folder(), name));

/** A stream of chunks, and whether it was cancelled. */
function streamOf(chunks: readonly Uint8Array[], end: 'close' | 'never' = 'close') {
  const cancelled = createDeferred<true>();
  let pulls = 0;
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      const chunk = chunks[pulls];
      pulls += 1;
      if (chunk !== undefined) controller.enqueue(chunk);
      else if (end === 'close') controller.close();
      else return new Promise(() => undefined);
      return undefined;
    },
    cancel() {
      cancelled.resolve(true);
    },
  });
  return { stream, cancelled: cancelled.promise, pulls: () => pulls };
}

describe('an ordinary request', () => {
  it('and its response pass as the very same objects, with what the host hands on', async () => {
    const request = new Request('http://host/shoe?wid=8&name=x', { method: 'POST', body: 'form' });
    const response = new Response('plain');
    const seen: unknown[] = [];
    const handle = imageSave((...args: [Request, ...unknown[]]) => {
      seen.push(...args, saveOf(args[0]));
      return response;
    });
    expect(await handle(request, 'env', 5)).toBe(response);
    expect(seen).toEqual([request, 'env', 5, undefined]);
    expect(seen[0]).toBe(request);
  });

  it('lets what the handler throws or rejects with pass', async () => {
    const thrown = new Error('no');
    const throws = imageSave(() => {
      throw thrown;
    });
    expect(() => throws(new Request('http://host/'))).toThrow(thrown);
    const rejects = imageSave(() => Promise.reject(thrown));
    await expect(rejects(new Request('http://host/'))).rejects.toBe(thrown);
  });
});

describe('a command', () => {
  it('saves the image, and the renderer sees a GET without it', async () => {
    let seen: Request | undefined;
    let name: string | undefined;
    const more: unknown[] = [];
    const handle = imageSave(
      (request: Request, ...rest: unknown[]) => {
        seen = request;
        name = saveOf(request)?.name;
        more.push(...rest);
        return new Response(image(), { headers: { 'content-type': 'image/jpeg' } });
      },
      { savePath: folder() },
    );
    const response = await handle(
      new Request(`http://host:81/shoe?wid=8&${COMMAND}&x=%2B+`, {
        method: 'POST',
        body: 'form',
        headers: { range: 'bytes=0-9', 'if-none-match': '*', 'accept-encoding': 'br', cookie: 'a=b' },
      }),
      'env',
    );
    expect([response.status, Object.fromEntries(response.headers)]).toEqual([
      200,
      expect.objectContaining({
        'content-type': 'text/plain',
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
      }),
    ]);
    expect(parseReply(await response.text())).toMatchObject({
      status: 'done',
      image: { width: 320, height: 200 },
    });
    expect(saved().equals(image())).toBe(true);
    expect([seen?.url, seen?.method, name, more]).toEqual([
      'http://host:81/shoe?wid=8&x=%2B+',
      'GET',
      'x.jpg',
      ['env'],
    ]);
    const names = [...(seen?.headers.keys() ?? [])];
    expect(names).toContain('cookie');
    for (const header of ['range', 'if-none-match', 'accept-encoding']) expect(names).not.toContain(header);
  });

  it('is obeyed below the mount alone, to which $object$ is relative', async () => {
    const handle = wrap((request) => new Response(saveOf(request) ? image() : 'plain'), {
      mount: '/is/image/',
    });
    const answer = async (path: string): Promise<string> =>
      (await handle(new Request(`http://host${path}?req=saveToFile&name=$object$.jpg`))).text();
    expect(await answer('/other/shoe')).toBe('plain');
    expect(await answer('/is/images')).toBe('plain');
    expect(parseReply(await answer('/is/image/shoe'))).toMatchObject({ status: 'done', name: 'shoe.jpg' });
  });

  it.each([
    ['/büch er', '/büch er/shoe'],
    ['/a/../is', '/is/shoe'],
  ])('is obeyed below the mount %s, however a URL writes that', async (mount, path) => {
    const handle = wrap(sendImage, { mount });
    const response = await handle(new Request(`http://host${path}?req=saveToFile&name=$object$.jpg`));
    expect(parseReply(await response.text())).toMatchObject({ status: 'done', name: 'shoe.jpg' });
  });

  it('is no command in the fragment of a URL', async () => {
    const handle = wrap(() => new Response('plain'));
    expect(await (await handle(new Request(`http://host/#?${COMMAND}`))).text()).toBe('plain');
  });

  it('is rendered with the class of the request, and with what other code has set on it', async () => {
    class AppRequest extends Request {
      readonly app = true;
    }
    let seen: unknown;
    const handle = wrap((request) => {
      seen = [Reflect.get(request, 'app'), Reflect.get(request, 'user'), Reflect.get(request, 'query')];
      return sendImage();
    });
    const query = { ...parse(COMMAND), wid: '2000' };
    const url = `http://host/?wid=40000&${COMMAND}`;
    const request = Object.assign(new AppRequest(url), { user: 'someone', query });
    expect((await handle(request)).status).toBe(200);
    expect(seen).toEqual([true, 'someone', { wid: '2000' }]);
  });

  it('is given to authorize and the hooks with the client’s own request', async () => {
    const urls: string[] = [];
    const note = (request: Request): void => void urls.push(request.url);
    const { status } = await save(sendImage, {
      authorize: (request) => (note(request), true),
      publicUrl: (name, request) => (note(request), name),
      onPublished: (_record, request) => {
        note(request);
      },
      onSave: (_record, request) => {
        note(request);
      },
    });
    expect(status).toBe('done');
    expect(urls).toEqual(Array.from({ length: 4 }, () => `http://host/cat/shoe?wid=8&${COMMAND}`));
  });

  it('can be signed', async () => {
    const signer = createSigner({ keys: ['k'.repeat(32)] });
    const handle = wrap(sendImage, { authorize: signer.authorize });
    const url = signer.sign('http://host/is/shoe?wid=8', { name: 'x.jpg', expires: Date.now() + 60_000 });
    expect((await handle(new Request(url))).status).toBe(200);
    expect((await handle(new Request(url.replace('wid=8', 'wid=9')))).status).toBe(403);
  });

  it.each([
    ['method-not-allowed', { init: { method: 'PUT' } }],
    ['cross-site', { init: { headers: { 'sec-fetch-site': 'cross-site' } } }],
    ['name-missing', { query: 'req=saveToFile' }],
    ['not-authorized', { authorize: () => false }],
  ])('is refused with %s before the handler is called', async (code, options) => {
    const handler = jest.fn(sendImage);
    expect((await save(handler, options)).code).toBe(code);
    expect(handler).not.toHaveBeenCalled();
  });
});

describe('a response', () => {
  const pieces = (): Uint8Array[] =>
    Array.from({ length: 10 }, (_, at) =>
      image().subarray((at * image().length) / 10, ((at + 1) * image().length) / 10),
    );
  /** As the responses of libraries that are older than Node's own. */
  const foreign = (body: unknown): Response =>
    ({ status: 200, headers: new Headers(), body, bodyUsed: false }) as unknown as Response;
  const used = async (): Promise<Response> => {
    const response = new Response(image());
    await response.arrayBuffer();
    return response;
  };

  it.each<[string, Handler]>([
    ['a stream', () => new Response(streamOf(pieces()).stream)],
    ['an async handler', async () => Promise.resolve(new Response(image()))],
    ['encoded bytes', () => new Response(gzipSync(image()), { headers: { 'content-encoding': 'gzip' } })],
    [
      'bytes that fetch has decoded',
      () => new Response(image(), { headers: { 'content-encoding': 'gzip', 'content-length': '7' } }),
    ],
    [
      'a right length',
      () => new Response(image(), { headers: { 'content-length': String(image().length) } }),
    ],
    ['a Blob', () => new Response(new Blob([image()]))],
    [
      'bytes that fetch has decoded, of an encoding that Node 20 does not know',
      () => new Response(image(), { headers: { 'content-encoding': 'zstd', 'content-length': '7' } }),
    ],
    ['another library, with a stream of Node', () => foreign(Readable.from(pieces()))],
    ['another library, with bytes', () => foreign(image())],
  ])('of %s is saved', async (_what, handler) => {
    expect(await save(handler)).toMatchObject({ status: 'done' });
    expect(saved().equals(image())).toBe(true);
  });

  const sending =
    (render: (typeof refusedRenderings)[number]['render']): Handler =>
    () => {
      const { status = 200, headers = {}, body = null } = render(image());
      return new Response(body instanceof Readable ? (Readable.toWeb(body) as ReadableStream) : body, {
        status,
        headers,
      });
    };

  it.each<[string, string, Handler]>([
    ...refusedRenderings.map(({ code, name, render }): [string, string, Handler] => [
      code,
      `a handler that ${name}`,
      sending(render),
    ]),
    [
      'renderer-failed',
      'a handler that throws',
      () => {
        throw new Error('no');
      },
    ],
    ['renderer-failed', 'a handler that rejects', () => Promise.reject(new Error('no'))],
    ['renderer-failed', 'no response', () => undefined as never],
    ['renderer-failed', 'text instead of a response', () => 'image' as never],
    ['renderer-failed', 'a response that has been used', used],
    ['renderer-failed', 'Response.error()', () => Response.error()],
    ['renderer-failed', 'a response of another library without a stream', () => foreign('image')],
    ['renderer-failed', 'a stream of text', () => new Response(streamOf(['text' as never]).stream)],
    [
      'not-an-image',
      'text of which fetch has undone the encoding',
      () => new Response('<!doctype html>', { headers: { 'content-encoding': 'gzip, br' } }),
    ],
    [
      'renderer-refused',
      'a placeholder',
      (request) => {
        saveOf(request)?.refuse();
        return new Response(image());
      },
    ],
  ])('is refused with %s: %s', async (code, _what, handler) => {
    writeFileSync(join(folder(), 'x.jpg'), 'old');
    expect((await save(handler)).code).toBe(code);
    expect(readdirSync(folder())).toEqual(['x.jpg']);
    expect(saved().toString()).toBe('old');
  });

  it('is read no further once its save has failed, and cancelled', async () => {
    const first = Buffer.concat([image(), Buffer.alloc(65_536)]);
    const body = streamOf([first, ...Array.from({ length: 1000 }, () => Buffer.alloc(65_536))]);
    expect((await save(() => new Response(body.stream), { maxBytes: 100_000 })).code).toBe('too-many-bytes');
    expect(await body.cancelled).toBe(true);
    expect(body.pulls()).toBeLessThan(20);
  });

  it('is read with back-pressure into a temporary file if it is large', async () => {
    const large = Buffer.concat([image(), Buffer.alloc(5_000_000)]);
    const chunks = Array.from({ length: 100 }, (_, at) =>
      large.subarray((at * large.length) / 100, ((at + 1) * large.length) / 100),
    );
    expect((await save(() => new Response(streamOf(chunks).stream))).status).toBe('done');
    expect(saved().equals(large)).toBe(true);
  });
});

describe('a save ends early', () => {
  afterEach(() => {
    jest.restoreAllMocks();
  });

  it.each([
    ['its deadline passes', 'timeout'],
    ['its client leaves', 'client-disconnected'],
  ])('when %s: the signals abort, and the body is cancelled', async (_how, code) => {
    const client = new AbortController();
    const deadline = useManualDeadline();
    const body = streamOf([image().subarray(0, 1000)], 'never');
    const signals: (AbortSignal | undefined)[] = [];
    const records: SaveRecord[] = [];
    const { code: refusal } = await save(
      (request) => {
        signals.push(request.signal, saveOf(request)?.signal);
        setImmediate(() => {
          if (code === 'timeout') deadline.expire();
          else client.abort();
        });
        return new Response(body.stream);
      },
      {
        ...LONG,
        init: { signal: client.signal },
        onSave: (record) => void records.push(record),
      },
    );
    expect([refusal, records[0]?.code, await body.cancelled]).toEqual([code, code, true]);
    expect(signals.map((signal) => signal?.aborted)).toEqual([true, true]);
    expect(signals[1]?.reason).toBeInstanceOf(SaveError);
  });

  it('when its handler is still busy: a late response is cancelled', async () => {
    const late = createDeferred<Response>();
    const body = streamOf([image()]);
    const deadline = useManualDeadline();
    const handler = (): Promise<Response> => {
      setImmediate(deadline.expire);
      return late.promise;
    };
    expect((await save(handler, LONG)).code).toBe('timeout');
    late.resolve(new Response(body.stream));
    expect(await body.cancelled).toBe(true);
  });

  it('shares the admission of its handler', async () => {
    const rendering = createDeferred<Response>();
    const handle = wrap(() => rendering.promise, { concurrency: 1, maxQueue: 1 });
    const send = (name: string): Promise<string> =>
      Promise.resolve(handle(new Request(`http://host/?req=saveToFile&name=${name}.jpg`))).then((each) =>
        each.text(),
      );
    const saves = [send('a'), send('b')];
    await eventually(() => handle.running === 1 && handle.waiting === 1);
    expect(parseReply(await send('c')).error?.code).toBe('too-busy');
    rendering.resolve(new Response(image()));
    await Promise.all(saves);
    await handle.idle();
    expect([handle.running, handle.waiting]).toEqual([0, 0]);
    await handle.check();
  });
});

const calledWith = (request: unknown) => () => wrap(() => new Response())(request as Request);
const request = new Request(`http://host/?${COMMAND}`);

test.each([
  [() => imageSave({ savePath: '.' } as never), 'wraps a handler'],
  [() => imageSave({ fetch: () => undefined } as never), 'app.fetch'],
  [() => imageSave(() => new Response(), null as never), 'object of options'],
  [calledWith({ req: { url: request.url, raw: request } }), 'c.req.raw'], // Hono
  [calledWith({ req: request, url: new URL(request.url) }), 'event.req'], // h3
  [calledWith({ request, url: new URL(request.url) }), '({ request })'], // SvelteKit, Astro, React Router
  [calledWith({ url: `/?${COMMAND}`, method: 'GET', headers: {} }), 'a Request'], // Node
  [calledWith(undefined), 'a Request'],
  [() => wrap(() => new Response(), { mount: 'is/image' }), 'mount'],
  [() => wrap(() => new Response(), { savepath: '.' } as never), 'savePath'],
])('names the fix of a wrong call', (call, word) => {
  expect(call).toThrow(TypeError);
  expect(call).toThrow(word);
});
