// The night job: 5,000 rows of a product system, on two machines, with failures, and kills of either side.
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../../support/deferred.js';
import { makeProject } from '../../support/project.js';
import { useTempDir } from '../../support/temp-dir.js';
import { readLedger, spawnCommand, startServer, stopCommands, type Command } from './cli-process.js';

const ROWS = 5000;
const CONCURRENCY = 8;

let library: string;
beforeAll(() => {
  library = join(makeProject([]), 'node_modules/express-image-save');
});

const dir = useTempDir();
afterEach(stopCommands);

it('saves every picture that there is, each once, and reports the others by their article numbers', async () => {
  // Every hundredth picture is missing, and two rows are damaged.
  const folder = (n: number): string => (n % 100 === 7 ? 'missing' : 'pic');
  const rows = Array.from({ length: ROWS }, (_, n) => `SKU-${n};"${folder(n)}/Ä ${n}";800`);
  const lines = ['sku;source;width', ...rows, 'SKU-A;x', 'SKU-B;x;;1', ''];
  writeFileSync(dir('pim.csv'), `\ufeff${lines.join('\r\n')}`);
  const { child, port } = await startServer(library, dir);
  const start = (part: number): Command =>
    spawnCommand(join(library, 'dist/cli.js'), [
      ...['--csv', dir('pim.csv'), '--url', '/{source}?wid={width}', '--name', '{sku}.png'],
      ...['--server', `http://127.0.0.1:${port}`, '--concurrency', String(CONCURRENCY)],
      ...['--shard', `${part}/2`, '--ledger', dir(`done-${part}`)],
    ]);
  const saved = (): number => readdirSync(dir('saved')).filter((name) => !name.startsWith('.')).length;

  const killed = [start(1), start(2)];
  await eventually(() => saved() > 500);
  const second = start(1);
  expect(await second.ended).toBe(2);
  expect(second.stderr()).toContain('Another batch is using');
  killed[0]!.child.kill('SIGKILL');
  await killed[0]!.ended;
  const resumed = start(1);
  await eventually(() => saved() > 1500);
  child.kill('SIGKILL');
  await once(child, 'exit');
  await startServer(library, dir, port);

  expect([await resumed.ended, await killed[1]!.ended]).toEqual([1, 1]);
  const ledgers = [1, 2].map((part) => readLedger(dir(`done-${part}`)));
  const done = ledgers.map((lines) =>
    lines.filter(({ status }) => status === 'done').map(({ name }) => name),
  );
  expect(new Set(done.flat()).size).toBe(ROWS - ROWS / 100);
  expect(done.flat()).toHaveLength(ROWS - ROWS / 100);
  expect(saved()).toBe(ROWS - ROWS / 100);
  const renders = readFileSync(dir('renders'), 'utf8').match(/^\/pic/gm);
  const repeated = renders!.length - (ROWS - ROWS / 100);
  // One kill of a client, and one of the server that two clients were using.
  expect(repeated).toBeLessThanOrEqual(3 * CONCURRENCY);
  const damaged = (resumed.stderr() + killed[1]!.stderr()).match(/pim\.csv:500[23]: it has \d fields/g);
  expect(new Set(damaged).size).toBe(2);

  const report = spawnCommand(join(library, 'dist/cli.js'), ['report', dir('done-1'), dir('done-2')]);
  expect(await report.ended).toBe(1);
  const reported = report.stdout().trimEnd().split('\n');
  expect(reported).toHaveLength(ROWS / 100);
  for (const line of reported)
    expect(line).toMatch(/^renderer-status 404 {2}SKU-\d+07\.png .* sku=SKU-\d+07 |sku=SKU-7 /);
  console.log(
    `${ROWS} rows: ${done[0]?.length} and ${done[1]?.length} done, ${reported.length} reported, ${repeated} rendered again`,
  );
});
