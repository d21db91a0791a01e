// What a save tells the operator and earlier middleware: method, rendered status, a missing folder.
import { join } from 'node:path';
import type { IncomingMessage, ServerResponse } from 'node:http';
import express from 'express';
import express4 from 'express4';
import morgan from 'morgan';
import { imageSave, saveOf, type SaveRecord } from '../../lib/index.js';
import { get } from '../support/client.js';
import { hosts, start, type Handler } from '../support/host.js';
import { jpeg } from '../support/images.js';
import { LONG, useManualDeadline } from '../support/manual-timer.js';
import { setImmediate as turn } from 'node:timers/promises';
import { SAVE, useSaveFixture } from '../support/use-save-fixture.js';

const { image, folder, recorded, save } = useSaveFixture(() => jpeg(40, 30));

afterEach(() => {
  jest.restoreAllMocks();
});

describe.each(Object.keys(hosts))('in %s, a command sent by POST', (host) => {
  test.each([
    ['saved', (res: ServerResponse) => res.end(image()), 200],
    ['refused by its renderer', (res: ServerResponse) => res.end('no image'), 403],
    ['timed out', () => undefined, 403],
  ])('is a GET to the renderer and a POST to morgan and onSave when %s', async (what, render, status) => {
    const deadline = useManualDeadline();
    const lines: string[] = [];
    const methods: unknown[] = [];
    let rendererReq: IncomingMessage | undefined;
    const log = morgan(':method :status', { stream: { write: (line) => void lines.push(line.trim()) } });
    const renderer: Handler = (req, res) => {
      rendererReq = req;
      expect(req.method).toBe('GET');
      render(res);
      if (what === 'timed out') setImmediate(deadline.expire);
    };
    const onSave = (_record: SaveRecord, req: IncomingMessage): void => void methods.push(req.method);
    await save(renderer, { ...LONG, host, before: [log], onSave }, SAVE, { method: 'POST' });
    while (lines.length === 0 || methods.length === 0) await turn();
    expect(lines).toEqual([`POST ${status}`]);
    expect(methods).toEqual(['POST']);
    // This renderer never ends its response, so it may still look at the request.
    if (what === 'timed out') expect(rendererReq?.method).toBe('GET');
  });
});

describe('a rendered response with another status than 200', () => {
  test.each([404, 500, 503])(
    'puts status %i and the first bytes of its text into the record',
    async (status) => {
      const { reply } = await save((_req, res) => {
        res.statusCode = status;
        res.end(`Not today, ${'é'.repeat(1000)}`);
      });
      const [record, message] = [await recorded(), reply.error?.message ?? ''];
      expect(record).toMatchObject({ code: 'renderer-status', rendererStatus: status });
      const { message: cause } = record.cause as Error;
      expect(cause).toContain(`${status}: Not today, é`);
      expect(cause.length).toBeLessThan(600);
      expect(message).toContain(String(status));
      expect(message.includes('asked for')).toBe(status < 500);
      expect(message).not.toContain('today');
    },
  );

  test.each([
    [503, '120', 'true', '120'],
    [503, ' 120 ', 'true', '120'],
    [429, '0', 'true', '0'],
    [408, 'Sun, 22 Nov 2026 13:28:00 GMT', 'true', undefined],
    [404, '120', undefined, undefined],
    [500, '120', undefined, undefined],
  ])('passes on that status %i with Retry-After %s may pass', async (status, sent, retry, passedOn) => {
    const render: Handler = (_req, res) => void res.writeHead(status, { 'Retry-After': sent }).end();
    const { reply, headers } = await save(render);
    expect(reply.error).toMatchObject({ rendererStatus: status, retry: retry === 'true' });
    expect([reply.properties['error.retry'], headers['retry-after']]).toEqual([retry, passedOn]);
    expect(/\btry again\b/i.test(reply.error?.message ?? '')).toBe(retry === 'true');
  });

  test.each<[string, (res: ServerResponse) => void]>([
    ['is empty', (res) => res.end()],
    ['is an image', (res) => res.end(image())],
    ['does not come', (res) => void res.write('')],
    ['breaks off', (res) => setImmediate(() => res.destroy())],
  ])('puts the status into the record when the body %s', async (_what, finish) => {
    await save((_req, res) => {
      res.writeHead(404);
      finish(res);
    });
    const record = await recorded();
    expect(record).toMatchObject({ rendererStatus: 404 });
    if (record.code === 'renderer-status') expect((record.cause as Error).message).toMatch(/status 404$/);
  });
});

test('a save folder that does not exist causes one warning with its whole path when the middleware is created', async () => {
  const warn = jest.spyOn(process, 'emitWarning').mockImplementation();
  imageSave({ savePath: folder() });
  imageSave({ savePath: '' });
  imageSave({ savePath: () => 'missing' });
  imageSave({ savePath: join(folder(), 'a', '..', 'missing') });
  await save();
  expect(warn.mock.calls.map(String)).toEqual([expect.stringContaining(`: ${join(folder(), 'missing')}.`)]);
});

test.each(['Express 5', 'Express 4'])(
  "in %s, the documented form of a renderer that uses the save's signal ends quietly when the save is aborted",
  async (host) => {
    const unhandled: unknown[] = [];
    const note = (error: unknown): void => void unhandled.push(error);
    process.on('unhandledRejection', note);
    const printed = jest.spyOn(console, 'error').mockImplementation();
    const render = (signal?: AbortSignal): Promise<Buffer> =>
      new Promise((resolve, reject) => {
        setTimeout(resolve, 1000, image()).unref();
        signal?.addEventListener('abort', () => {
          reject(signal.reason as Error);
        });
      });
    const app = host === 'Express 5' ? express() : express4();
    app.set('env', 'development');
    app.use(imageSave({ savePath: folder(), timeout: 50 }));

    app.get('/x', async (_req, res, next) => {
      const save = saveOf(res);
      try {
        res.type('jpeg').send(await render(save?.signal));
      } catch (error) {
        if (save?.signal.aborted !== true) next(error);
      }
    });
    const { url } = await start([app], 'http.createServer');
    expect((await get(url + SAVE)).reply.status).toBe('timeout');
    await new Promise((resolve) => setTimeout(resolve, 20));
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
    expect(printed).not.toHaveBeenCalled();
  },
);
