// The whole engine, against a real server that replies as each test says.
import { readFileSync } from 'node:fs';
import { getEventListeners } from 'node:events';
import { saveAll, type SaveAllOptions, type SaveJob, type SaveResult } from '../../../lib/batch.js';
import { createDeferred, eventually } from '../../support/deferred.js';
import { sendDone, sendError, startReplyServer } from '../../support/reply-server.js';
import { stopAll } from '../../support/host.js';
import { useTempDir } from '../../support/temp-dir.js';

const dir = useTempDir();
afterEach(stopAll);

const createJobs = (count: number): SaveJob[] =>
  Array.from({ length: count }, (_, index) => ({ url: `/x?n=${index}`, name: `${index}.jpg` }));

async function collect(
  jobs: Iterable<SaveJob> | AsyncIterable<SaveJob>,
  options: SaveAllOptions,
): Promise<SaveResult[]> {
  const results: SaveResult[] = [];
  for await (const result of saveAll(jobs, options)) results.push(result);
  return results;
}

const count = (results: SaveResult[], status: SaveResult['status']): number =>
  results.filter((result) => result.status === status).length;

it('saves each job once and says what was saved', async () => {
  const server = await startReplyServer();
  const results = await collect(createJobs(20), { server: server.origin });
  expect(server.requests.map(({ url }) => url).sort()).toEqual(
    createJobs(20)
      .map(({ url, name }) => `${url}&req=saveToFile&name=${name}`)
      .sort(),
  );
  expect(results).toHaveLength(20);
  expect(results[0]).toEqual({
    ...{ url: expect.stringMatching(/^\/x/) as string, name: expect.stringMatching(/jpg$/) as string },
    ...{ status: 'done', attempts: 1, bytes: 100, pixels: 12 },
    milliseconds: expect.any(Number) as number,
    at: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) as string,
  });
});

it('sends the headers, and at most as many requests at once as it may', async () => {
  const server = await startReplyServer((_request, res) => setTimeout(sendDone, 5, res));
  const header = ['Authorization: Bearer x', 'User-Agent: mine', 'X-A: 1', 'x-a: 2', 'Host: h'];
  await collect(createJobs(30), { server: server.origin, concurrency: 3, header });
  expect(server.maxOpen()).toBe(3);
  const sent = { authorization: 'Bearer x', 'user-agent': 'mine', 'x-a': '1, 2', host: 'h' };
  expect(server.requests[0]?.headers).toMatchObject(sent);
});

it('takes no more jobs from an endless list than there are slots, and lets it end when its consumer leaves', async () => {
  const server = await startReplyServer();
  const ended = createDeferred();
  let taken = 0;
  function* endless(): Generator<SaveJob> {
    try {
      for (;;) yield { url: `/x?n=${++taken}`, name: `${taken}.jpg` };
    } finally {
      ended.resolve();
    }
  }
  let seen = 0;
  for await (const result of saveAll(endless(), { server: server.origin, concurrency: 4 })) {
    expect(result.status).toBe('done');
    if (++seen === 20) break;
  }
  await ended.promise;
  expect(taken).toBeLessThanOrEqual(20 + 4 + 4);
});

it('goes on while its consumer is slow, as far as slots allow', async () => {
  const server = await startReplyServer();
  const results = saveAll(createJobs(30), { server: server.origin, concurrency: 4 });
  await results.next();
  await eventually(() => server.requests.length > 1);
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(server.requests.length).toBeLessThanOrEqual(1 + 4 + 4);
  for await (const result of results) expect(result.status).toBe('done');
});

it('tries again after a failure that may pass, as often as it may, and not after another', async () => {
  const server = await startReplyServer(({ name, count: sent }, res) => {
    if (name === '5.jpg') sendError(res, 'disk-full', { retry: true });
    else if (sent > 1) sendDone(res);
    else if (name === '0.jpg') sendError(res, 'renderer-aborted', { retry: true });
    else if (name === '1.jpg') res.destroy();
    else if (name === '2.jpg') res.writeHead(502).end();
    else if (name === '3.jpg') sendError(res, 'broken-image');
    else res.writeHead(500).end();
  });
  const results = await collect(createJobs(6), { server: server.origin, retries: 1 });
  const byName = Object.fromEntries(
    results.map(({ name, status, code, attempts }) => [name, [status, code, attempts]]),
  );
  expect(byName).toEqual({
    '0.jpg': ['done', undefined, 2],
    '1.jpg': ['done', undefined, 2],
    '2.jpg': ['done', undefined, 2],
    '3.jpg': ['failed', 'broken-image', 1],
    '4.jpg': ['failed', 'http-500', 1],
    '5.jpg': ['failed', 'disk-full', 2],
  });
});

it('takes no other job in place of one whose attempt has failed', async () => {
  const server = await startReplyServer(({ name, count: sent }, res) => {
    if (name === '0.jpg' && sent === 1) res.destroy();
    else sendDone(res);
  });
  await collect(createJobs(3), { server: server.origin, concurrency: 1 });
  expect(server.requests.map(({ name }) => name)).toEqual(['0.jpg', '0.jpg', '1.jpg', '2.jpg']);
});

it('honours Retry-After, and lets other jobs go on meanwhile', async () => {
  const times = new Map<string, number[]>();
  const server = await startReplyServer(({ name, count: sent }, res) => {
    times.set(name, [...(times.get(name) ?? []), performance.now()]);
    if (name === '0.jpg' && sent === 1) sendError(res, 'too-busy', { retry: true, retryAfter: 1 });
    else sendDone(res);
  });
  const results = await collect(createJobs(40), { server: server.origin, concurrency: 1 });
  expect(count(results, 'done')).toBe(40);
  expect(results.at(-1)?.name).toBe('0.jpg');
  const [first = 0, second = 0] = times.get('0.jpg') ?? [];
  expect(second - first).toBeGreaterThanOrEqual(990);
});

it('settles at what the server takes at once instead of asking for more again and again', async () => {
  let open = 0;
  let refused = 0;
  const server = await startReplyServer((_request, res) => {
    if (open >= 2) {
      refused++;
      sendError(res, 'too-busy', { retry: true });
      return;
    }
    open++;
    setTimeout(() => {
      open--;
      sendDone(res);
    }, 3);
  });
  const results = await collect(createJobs(300), { server: server.origin, concurrency: 16, retries: 20 });
  expect(count(results, 'done')).toBe(300);
  expect(refused).toBeLessThan(150);
});

it('reports what is no job, by its number, sends a job once that comes twice, and goes on', async () => {
  const server = await startReplyServer();
  const job = { url: '/x', name: 'a.jpg' };
  const jobs = [job, { name: 'b.jpg' }, job, { url: '/x', name: 'c.jpg' }] as SaveJob[];
  const results = await collect(jobs, { server: server.origin });
  const invalid = results.find(({ status }) => status === 'failed');
  expect(invalid).toMatchObject({ code: 'invalid-job', url: '', name: '', attempts: 0 });
  expect(invalid?.message).toMatch(/^job 2: it has no url/);
  expect(results.find(({ status }) => status === 'skipped')).toMatchObject({ ...job, code: 'repeated' });
  expect([count(results, 'done'), server.requests.length]).toEqual([2, 2]);
});

describe('with a ledger', () => {
  it('skips what an earlier batch has done and tries again what failed', async () => {
    const server = await startReplyServer(({ name, count: sent }, res) => {
      if (name === '3.jpg' && sent === 1) sendError(res, 'broken-image');
      else sendDone(res);
    });
    const options = { server: server.origin, ledger: dir('l') };
    const first = await collect(createJobs(5), options);
    expect([count(first, 'done'), count(first, 'failed')]).toEqual([4, 1]);
    const second = await collect(createJobs(6), options);
    expect([count(second, 'skipped'), count(second, 'done')]).toEqual([4, 2]);
    expect(server.requests).toHaveLength(7);
    expect(readFileSync(dir('l'), 'utf8').trimEnd().split('\n')).toHaveLength(7);
  });

  it('has a line for every result that the consumer gets', async () => {
    const server = await startReplyServer();
    for await (const { name } of saveAll(createJobs(20), { server: server.origin, ledger: dir('l') })) {
      expect(readFileSync(dir('l'), 'utf8')).toContain(`"name":"${name}"`);
    }
  });
});

describe('an early end', () => {
  it.each(['waits', 'is busy'])(
    'breaks off running requests when the signal aborts while its consumer %s',
    async (state) => {
      const [arrived, closed] = [createDeferred(), createDeferred()];
      const server = await startReplyServer(({ name }, res) => {
        if (name === '0.jpg') {
          sendDone(res);
          return;
        }
        res.once('close', closed.resolve);
        arrived.resolve();
      });
      const controller = new AbortController();
      const { signal } = controller;
      void arrived.promise.then(() => {
        controller.abort(new Error('enough'));
      });
      const run = async (): Promise<void> => {
        for await (const { name } of saveAll(createJobs(3), {
          server: server.origin,
          concurrency: 2,
          signal,
        })) {
          expect(name).toBe('0.jpg');
          if (state === 'is busy') await closed.promise;
        }
      };
      await expect(run()).rejects.toThrow('enough');
      await closed.promise;
      expect(getEventListeners(signal, 'abort')).toEqual([]);
    },
  );

  it('sends nothing when the signal has aborted before', async () => {
    const server = await startReplyServer();
    const signal = AbortSignal.abort(new Error('before'));
    await expect(collect(createJobs(5), { server: server.origin, signal })).rejects.toThrow('before');
    expect(server.requests).toEqual([]);
  });
});

it('keeps the further fields of a job in its result and in the ledger, except those of the ledger itself', async () => {
  const server = await startReplyServer();
  const jobs = [{ url: '/a', name: 'a.jpg', sku: 7, tags: ['x'], status: 'mine' }];
  const results = await collect(jobs, { server: server.origin, ledger: dir('l') });
  expect(results).toMatchObject([{ name: 'a.jpg', status: 'done', sku: 7, tags: ['x'] }]);
  expect([JSON.parse(readFileSync(dir('l'), 'utf8'))]).toEqual(results);
});

it('never sends more at once than it may, and nothing in a pause, while the list is slow', async () => {
  const times: number[] = [];
  const server = await startReplyServer((_request, res) => {
    times.push(performance.now());
    if (times.length === 1) res.writeHead(429, { 'Retry-After': '1' }).end();
    else setTimeout(sendDone, 50, res);
  });
  async function* slow(): AsyncGenerator<SaveJob> {
    for (const job of createJobs(12)) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      yield job;
    }
  }
  const results = await collect(slow(), { server: server.origin, concurrency: 2 });
  expect(count(results, 'done')).toBe(12);
  expect(server.maxOpen()).toBeLessThanOrEqual(2);
  // One may have been on its way.
  expect(times[2]! - times[0]!).toBeGreaterThanOrEqual(950);
});

it('goes on after a pause that a job without another attempt has caused', async () => {
  const server = await startReplyServer(({ name }, res) => {
    if (name === '0.jpg') res.writeHead(429, { 'Retry-After': '1' }).end();
    else sendDone(res);
  });
  const results = await collect(createJobs(3), { server: server.origin, concurrency: 1, retries: 0 });
  expect(results.map(({ status }) => status)).toEqual(['failed', 'done', 'done']);
});

it('sends a job again that waited for a busy server while the list has no next one yet', async () => {
  const [arrived, closed] = [createDeferred(), createDeferred()];
  const server = await startReplyServer(({ count: sent }, res) => {
    if (sent === 1) sendError(res, 'too-busy', { retry: true });
    else sendDone(res);
  });
  async function* slow(): AsyncGenerator<SaveJob> {
    yield* createJobs(1);
    await closed.promise;
  }
  const ended = (async () => {
    for await (const { attempts } of saveAll(slow(), { server: server.origin })) {
      expect(attempts).toBe(2);
      arrived.resolve();
    }
  })();
  await arrived.promise;
  closed.resolve();
  await ended;
});

it('lets running jobs end where the list fails', async () => {
  const server = await startReplyServer((_request, res) => setTimeout(sendDone, 50, res));
  function* broken(): Generator<SaveJob> {
    yield* createJobs(2);
    throw new Error('the list is broken');
  }
  const results: SaveResult[] = [];
  const run = async (): Promise<void> => {
    for await (const result of saveAll(broken(), { server: server.origin })) results.push(result);
  };
  await expect(run()).rejects.toThrow('the list is broken');
  expect(count(results, 'done')).toBe(2);
});

it('checks its options when it is called', () => {
  expect(() => saveAll([], { retries: -1 })).toThrow(/"retries" of saveAll/);
});
