// Many saves at once, with a renderer that the specs control: saves that run, wait or are refused.
import { request, type ServerResponse } from 'node:http';
import { setImmediate } from 'node:timers/promises';
import {
  imageSave,
  saveOf,
  type ImageSaveMiddleware,
  type ImageSaveOptions,
  type SaveRecord,
} from '../../lib/index.js';
import { get, type Answer } from '../support/client.js';
import { start, type Handler } from '../support/host.js';
import { useSaveFixture } from '../support/use-save-fixture.js';

const { image, folder } = useSaveFixture();

interface Bench {
  readonly middleware: ImageSaveMiddleware;
  /** The responses that the renderer has and has not ended, oldest first. */
  readonly held: ServerResponse[];
  /** Ends the first render that is held, as soon as there is one. */
  endRender(): Promise<void>;
  /** Images that were rendered or are being rendered. */
  readonly rendered: () => number;
  readonly records: SaveRecord[];
  readonly url: string;
  save(query?: string): Promise<Answer>;
  /** Resolves when so many saves are in progress and so many wait. */
  settled(running: number, waiting: number): Promise<void>;
}

async function openBench(options: ImageSaveOptions, render?: Handler): Promise<Bench> {
  const held: ServerResponse[] = [];
  const records: SaveRecord[] = [];
  let rendered = 0;
  let saves = 0;
  const onSave = (record: SaveRecord): void => void records.push(record);
  const middleware = imageSave({ savePath: folder(), verify: 'header', onSave, ...options });
  const { url } = await start([
    middleware,
    (req, res, next) => {
      if (saveOf(res) === undefined) {
        res.end('ordinary');
        return;
      }
      rendered += 1;
      if (render === undefined) held.push(res);
      else render(req, res, next);
    },
  ]);
  return {
    middleware,
    held,
    records,
    url,
    endRender: async () => {
      while (held.length === 0) await setImmediate();
      held.shift()!.end(image());
    },
    rendered: () => rendered,
    save: (query = '') => get(`${url}/x?req=saveToFile&name=${(saves += 1)}.jpg${query}`),
    async settled(running, waiting) {
      while (middleware.running !== running || middleware.waiting !== waiting) await setImmediate();
    },
  };
}

const codeOf = ({ reply }: Answer): string => reply.error?.code ?? reply.status;

test('refuses a save that finds the queue full at once, without a render', async () => {
  const bench = await openBench({ concurrency: 1, maxQueue: 1 });
  const [running, waiting] = [bench.save(), bench.save()];
  await bench.settled(1, 1);
  // The save that has the slot comes to the renderer a little later.
  while (bench.held.length === 0) await setImmediate();
  const refused = await bench.save();
  expect([refused.status, codeOf(refused), refused.reply.properties['error.retry']]).toEqual([
    403,
    'too-busy',
    'true',
  ]);
  expect(refused.headers['retry-after']).toMatch(/^[1-9]\d*$/);
  expect(bench.rendered()).toBe(1);
  await bench.endRender();
  expect(codeOf(await running)).toBe('done');
  await bench.endRender();
  expect(codeOf(await waiting)).toBe('done');
  expect((await waiting).headers).not.toHaveProperty('retry-after');
});

test('neither queues nor counts ordinary requests', async () => {
  const bench = await openBench({ concurrency: 1, maxQueue: 0 });
  const running = bench.save();
  await bench.settled(1, 0);
  const ordinary = await Promise.all([1, 2, 3].map(() => get(`${bench.url}/x`)));
  expect(ordinary.map(({ body }) => body.toString())).toEqual(Array(3).fill('ordinary'));
  expect([bench.middleware.running, bench.middleware.waiting]).toEqual([1, 0]);
  await bench.endRender();
  await running;
});

test('refuses bad and unauthorised commands before they could wait', async () => {
  const bench = await openBench({
    concurrency: 1,
    maxQueue: 0,
    authorize: (req) => !req.url?.includes('stranger'),
  });
  const running = bench.save();
  await bench.settled(1, 0);
  expect(codeOf(await bench.save('&stranger'))).toBe('not-authorized');
  expect(codeOf(await get(`${bench.url}/x?req=saveToFile&name=.x.jpg`))).toBe('name-invalid');
  expect(codeOf(await bench.save())).toBe('too-busy');
  await bench.endRender();
  expect(codeOf(await running)).toBe('done');
});

describe('a finished save frees its slot', () => {
  const fail = (): never => {
    throw new Error('no');
  };
  test.each<[string, Handler, string]>([
    ['that is done', (_req, res) => res.end(image()), 'done'],
    ['that its renderer refuses', (_req, res) => saveOf(res)?.refuse('no'), 'renderer-refused'],
    ['of another status', (_req, res) => void res.writeHead(404).end('no'), 'renderer-status'],
    ['of an incomplete image', (_req, res) => res.end(image().subarray(0, 20)), 'incomplete-image'],
    ['whose renderer destroys the response', (_req, res) => res.destroy(), 'renderer-aborted'],
    ['whose renderer throws', fail, 'renderer-status'],
    ['whose renderer never answers', () => undefined, 'timeout'],
  ])('after a save %s', async (_what, render, code) => {
    const bench = await openBench({ concurrency: 1, maxQueue: 5, verify: 'pixels' }, render);
    const timeout = code === 'timeout' ? '&timeout=300' : '';
    for (let save = 0; save < 3; save += 1) expect(codeOf(await bench.save(timeout))).toBe(code);
    await bench.settled(0, 0);
    expect(bench.rendered()).toBe(3);
  });

  test('after a save whose store throws', async () => {
    const bench = await openBench({ concurrency: 1, savePath: `${folder()}/missing` });
    for (let save = 0; save < 3; save += 1) expect(codeOf(await bench.save())).toBe('save-path-missing');
    await bench.settled(0, 0);
    expect(bench.rendered()).toBe(0);
  });

  test.each(['waits', 'is rendered'])('after a save whose client disconnects while it %s', async (when) => {
    const bench = await openBench({ concurrency: 1, maxQueue: 1 });
    const first = when === 'waits' ? bench.save() : undefined;
    if (first !== undefined) await bench.settled(1, 0);
    const client = request(`${bench.url}/x?req=saveToFile&name=gone.jpg`).on('error', () => undefined);
    client.end();
    await bench.settled(1, first === undefined ? 0 : 1);
    while (bench.held.length === 0) await setImmediate();
    client.destroy();
    await bench.settled(first === undefined ? 0 : 1, 0);
    if (first === undefined) return;
    await bench.endRender();
    expect(codeOf(await first)).toBe('done');
    await bench.settled(0, 0);
    expect(bench.rendered()).toBe(1);
  });
});

test('tells onSave how long each stage took, and what was saved', async () => {
  const bench = await openBench({ concurrency: 1 });
  const first = bench.save();
  while (bench.held.length === 0) await setImmediate();
  const second = bench.save('&timeout=200');
  await second;
  await bench.endRender();
  await first;
  await bench.middleware.idle();
  const [waited, done] = bench.records;
  expect(Object.keys(waited!.stages)).toEqual(['waiting']);
  expect(Object.keys(done!.stages)).toEqual([
    ...['waiting', 'preparing', 'rendering', 'inspecting', 'publishing'],
  ]);
  expect(done).toMatchObject({ outcome: 'done', type: 'image/jpeg' });
  expect(done!.width! * done!.height!).toBe(done!.pixels);
  const total = Object.values(done!.stages).reduce((sum, stage) => sum + stage, 0);
  expect(total).toBeLessThanOrEqual(done!.milliseconds);
});
