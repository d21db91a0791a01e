// The command from its arguments to its exit status, in this process, against a real server.
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { PassThrough, Readable } from 'node:stream';
import { main } from '../../../../lib/batch/cli/main.js';
import { quote } from '../../../../lib/batch/cli/summary.js';
import type { SaveResult } from '../../../../lib/batch/types.js';
import { createDeferred } from '../../../support/deferred.js';
import { sendDone, sendError, startReplyServer, type ReplyServer } from '../../../support/reply-server.js';
import { stopAll } from '../../../support/host.js';
import { useTempDir } from '../../../support/temp-dir.js';
import { readText } from '../../../support/read-text.js';

const dir = useTempDir();
afterEach(stopAll);

type Ended = Readonly<Record<'stdout' | 'stderr', string>> & { readonly status: number };

interface Running {
  readonly interrupt: () => void;
  readonly exited: Promise<number>;
  readonly ended: Promise<Ended>;
}

function start(args: string[], stdin: string | Readable = ''): Running {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const exited = createDeferred<number>();
  let listener = (): void => undefined;
  const ended = main({
    ...{ args: ['batch', ...args], version: '1.2.3', stdout, stderr },
    stdin: typeof stdin === 'string' ? Readable.from([Buffer.from(stdin)]) : stdin,
    onInterrupt: (listen) => {
      listener = listen;
      return () => (listener = () => undefined);
    },
    exit: exited.resolve,
  }).then((status) => ({ status, stdout: readText(stdout), stderr: readText(stderr) }));
  const interrupt = (): void => {
    listener();
  };
  return { interrupt, exited: exited.promise, ended };
}

const run = (args: string[], stdin?: string): Promise<Ended> => start(args, stdin).ended;

/** Saves everything but names that start with `bad`. */
const startServer = (): Promise<ReplyServer> =>
  startReplyServer(({ name }, res) => {
    if (name.startsWith('bad')) sendError(res, 'broken-image');
    else sendDone(res);
  });

it('exits with 0 when all is done, and says how much that was', async () => {
  const { origin } = await startServer();
  const { status, stdout, stderr } = await run(['-', '--server', origin], '/a a.jpg\n/b b.jpg\n');
  expect([status, stdout]).toEqual([0, '']);
  expect(stderr).toMatch(/^Finished after [\d.]+ s\.\n {2}done {5}2 \(200 bytes\)\n {2}failed {3}0\n$/);
});

it('exits with 1 when some failed, and lists them by code with an example and what to do', async () => {
  const { origin } = await startServer();
  const jobs = '/a a.jpg\n/bad1 bad1.jpg\n/bad2 bad2.jpg\nbroken\n';
  const { status, stderr } = await run(['-', '--server', origin, '--concurrency', '1'], jobs);
  expect(status).toBe(1);
  expect(stderr.replace(/[\d.]+ s/, '1 s'))
    .toBe(`stdin:4: there is no name behind the URL, as in: /is/image/shoe shoe.jpg
Finished after 1 s.
  done     1 (100 bytes)
  failed   3

  2 × broken-image
    /bad1  →  bad1.jpg
    Mend broken-image.

  1 × invalid-job
    stdin:4: there is no name behind the URL, as in: /is/image/shoe shoe.jpg

Without a ledger, the same command starts from the beginning. With --ledger done.ndjson, the next run does only what is missing.
`);
});

it('names the ledger as the way to go on, and then skips what is done', async () => {
  const { origin, requests } = await startServer();
  writeFileSync(dir('jobs.txt'), '/a a.jpg\n/b bad.jpg\n');
  const args = [dir('jobs.txt'), '--server', origin, '--ledger', dir('l')];
  const shown = args.map((argument) => quote(argument)).join(' ');
  expect((await run(args)).stderr).toContain(
    `The ledger ${dir('l')} knows what is done. To try 1 failed job again:\n  npx express-image-save batch ${shown}\n`,
  );
  const { status, stderr } = await run(args);
  expect(status).toBe(1);
  expect(stderr).toContain(`skipped  1 (done before, says ${dir('l')})`);
  expect(requests).toHaveLength(3);
});

it('prints each result as a line of JSON with --json', async () => {
  const { origin } = await startServer();
  const { stdout } = await run(['-', '--server', origin, '--json'], '/a a.jpg\n/b bad.jpg\n');
  const results = JSON.parse(`[${stdout.trimEnd().replaceAll('\n', ',')}]`) as SaveResult[];
  expect(results.map(({ name, status }) => [name, status]).sort()).toEqual([
    ['a.jpg', 'done'],
    ['bad.jpg', 'failed'],
  ]);
});

it('prints only errors with --quiet', async () => {
  const { origin } = await startServer();
  const args = ['-', '--server', origin, '--quiet'];
  expect(await run(args, '/a a.jpg\n')).toEqual({ status: 0, stdout: '', stderr: '' });
  const { stderr } = await run(args, '/a a.jpg\n/b bad.jpg\n');
  expect(stderr).toBe('  1 × broken-image\n    /b  →  bad.jpg\n    Mend broken-image.\n');
});

it('prints the commands and sends nothing with --dry-run', async () => {
  const { origin, requests } = await startServer();
  const args = ['-', '--server', origin, '--ledger', dir('l')];
  await run(args, '/a a.jpg\n');
  const before = readFileSync(dir('l'), 'utf8');
  const { status, stdout, stderr } = await run([...args, '--dry-run'], '/a a.jpg\n/b?x=1 b.jpg\nbroken\n');
  expect([status, stdout]).toEqual([1, `${origin}/b?x=1&req=saveToFile&name=b.jpg\n`]);
  expect(stderr).toMatch(/^stdin:3: /);
  expect([requests.length, readFileSync(dir('l'), 'utf8')]).toEqual([1, before]);
});

it('exits with 2 after a message where there are no jobs', async () => {
  const stderr = 'error: There are no jobs in -.\n';
  expect(await run(['-'], '# nothing\n')).toEqual({ status: 2, stdout: '', stderr });
});

it('gives up after ten failures that would meet every job, with the folders to make', async () => {
  const server = await startReplyServer((_request, res) => {
    sendError(res, 'folder-missing');
  });
  const jobs = Array.from({ length: 20 }, (_, index) => `/x?n=${index} SKU ${index}/a.jpg\n`).join('');
  const { status, stderr } = await run(['-', '--server', server.origin, '--concurrency', '1'], jobs);
  expect([status, server.requests.length]).toEqual([1, 10]);
  expect(stderr).toMatch(
    /^Gave up after [\d.]+ s: folder-missing would meet every other job too\.\n[^]*10 × folder-missing\n[^]*Mend folder-missing[^]*createFolders[^]*\n {2}mkdir -p ['"]SKU 0['"] .*['"]SKU 9['"]\n/,
  );
});

it('says that it tries again while a server cannot be reached', async () => {
  const { origin } = await startServer();
  await stopAll();
  const { stderr } = await run(['-', '--server', origin, '--retries', '1'], '/a a.jpg\n/b b.jpg\n');
  expect(stderr.match(/http.* does not accept connections.*Trying again\./g)).toHaveLength(1);
});

describe('interrupted', () => {
  async function startInterrupted(
    reply = sendDone,
  ): Promise<{ running: Running; release: () => void; requests: unknown[] }> {
    const [arrived, released] = [createDeferred(), createDeferred()];
    const { origin, requests } = await startReplyServer((_request, res) => {
      arrived.resolve();
      void released.promise.then(() => {
        reply(res);
      });
    });
    const jobs = Array.from({ length: 20 }, (_, index) => `/x ${index}.jpg\n`).join('');
    const running = start(['-', '--server', origin, '--concurrency', '1', '--ledger', dir('l')], jobs);
    await arrived.promise;
    running.interrupt();
    return { running, release: released.resolve, requests };
  }

  it('lets running saves end at the first Ctrl-C, sends no more, and says how to go on', async () => {
    const { running, release, requests } = await startInterrupted();
    release();
    const { status, stderr } = await running.ended;
    expect(status).toBe(130);
    expect(stderr).toMatch(
      /^Stopping: waiting for 1 running save\. Ctrl-C again stops at once\.\nStopped after/,
    );
    expect(stderr).toMatch(/done {5}1 [^]*To go on:\n {2}npx express-image-save batch - /);
    expect(requests).toHaveLength(1);
    expect(readFileSync(dir('l'), 'utf8').match(/\n/g)).toHaveLength(1);
  });

  it('takes a second Ctrl-C within half a second for the first, and exits at once at a later one', async () => {
    const now = jest.spyOn(performance, 'now');
    const { running, release } = await startInterrupted();
    let exited = 0;
    void running.exited.then(() => exited++);
    const before = now.mock.results.at(-1)?.value as number;
    running.interrupt();
    await new Promise(setImmediate);
    expect(exited).toBe(0);
    now.mockReturnValue(before + 1000);
    running.interrupt();
    now.mockRestore();
    expect(await running.exited).toBe(130);
    release();
    await running.ended;
  });

  it('leaves a job whose running attempt asks for another one', async () => {
    const { running, release } = await startInterrupted((res) => {
      sendError(res, 'disk-full', { retry: true });
    });
    release();
    const { status, stderr } = await running.ended;
    expect([status, readFileSync(dir('l'), 'utf8')]).toEqual([130, '']);
    expect(stderr).toMatch(/failed {3}0/);
  });

  it('ends at Ctrl-C while it waits for its next job', async () => {
    const server = await startServer();
    const stdin = new PassThrough();
    stdin.write('/a a.jpg\n');
    const running = start(['-', '--server', server.origin], stdin);
    while (server.requests.length === 0) await new Promise(setImmediate);
    running.interrupt();
    expect((await running.ended).status).toBe(130);
  });
});

it('prints ten entries that are no jobs, and counts the others', async () => {
  const { origin } = await startServer();
  const { status, stderr } = await run(['-', '--server', origin], `/a a.jpg\n${'bad\n'.repeat(150)}`);
  expect([status, stderr.match(/^stdin:/gm)?.length]).toEqual([1, 10]);
  expect(stderr).toContain('140 more entries of the list are no jobs.');
});

it('tells once that a list is not UTF-8, and saves nothing under a damaged name', async () => {
  const { origin, requests } = await startServer();
  const bytes = Buffer.from('/a caf\xe9.jpg\n/b caf\xe8.jpg\n/c c.jpg\n', 'latin1');
  const { status, stderr } = await start(['-', '--server', origin], Readable.from([bytes])).ended;
  expect([status, stderr.match(/UTF-8:/g)?.length]).toEqual([1, 1]);
  expect(requests.map(({ name }) => name)).toEqual(['c.jpg']);
});

it('reports what is not done by its own fields, and only that', async () => {
  const { origin } = await startServer();
  writeFileSync(dir('pim.csv'), 'sku;source\n1;a\n2;bad\n"3, ""x""";bad\n');
  const args = ['--csv', dir('pim.csv'), '--url', '/{source}?s={sku}', '--name', '{source}-{sku}.jpg'];
  expect((await run([...args, '--server', origin, '--ledger', dir('l')])).status).toBe(1);
  appendFileSync(dir('l'), '{"url":"/being');
  const { status, stdout, stderr } = await run(['report', dir('l')]);
  expect([status, stderr]).toEqual([1, `2 of 3 jobs in ${dir('l')} are not done.\n`]);
  expect(stdout.split('\n').sort()[1]).toBe(
    'broken-image  bad-2.jpg  /bad?s=2  Mend broken-image.  sku=2 source=bad',
  );
  const table = await run(['report', dir('l'), '--csv']);
  expect(table.stdout.split('\r\n')[0]).toBe('code,rendererStatus,message,url,name,attempts,at,sku,source');
  expect(table.stdout).toContain('"3, ""x""",bad\r\n');
  expect((await run(['report', dir('none')])).status).toBe(2);
  expect(await run(['report', dir()])).toMatchObject({
    ...{ status: 2, stderr: `error: The ledger ${dir()} is a folder. Name a file.\n` },
  });
  const all = await startReplyServer();
  await run([...args, '--server', all.origin, '--ledger', dir('l')]);
  expect(await run(['report', dir('l')])).toMatchObject({ status: 0, stdout: '' });
});
