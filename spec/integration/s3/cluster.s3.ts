// `npm run demo:cluster` as a user runs it: killed processes lose no acknowledged image, and the demo detects a store
// that does.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { gateway, makeBucket, objectsIn } from './gateway.js';
import { Proxy, type Fate } from './proxy.js';

let bucket: string;
let proxy: Proxy;
let child: ChildProcess | undefined;

beforeEach(async () => {
  bucket = await makeBucket();
  proxy = await Proxy.start(gateway.endpoint);
});
afterEach(async () => {
  if (child?.exitCode === null && child.signalCode === null) {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  await proxy.stop();
});

interface Demo {
  readonly output: () => string;
  readonly exit: Promise<number | null>;
  readonly child: ChildProcess;
}

function startDemo(saves: number): Demo {
  const { accessKey, secretKey } = gateway.users.find(({ name }) => name === 'owner')!;
  const demo = spawn(process.execPath, ['--import', 'tsx', 'demo/cluster/main.ts', String(saves)], {
    env: {
      ...process.env,
      S3_ENDPOINT: proxy.endpoint,
      S3_BUCKET: bucket,
      AWS_ACCESS_KEY_ID: accessKey,
      AWS_SECRET_ACCESS_KEY: secretKey,
    },
  });
  child = demo;
  let output = '';
  for (const stream of [demo.stdout, demo.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  const exit = once(demo, 'close').then(([code]) => code as number | null);
  return { output: () => output, exit, child: demo };
}

/** Runs the demo to its end. */
async function runDemo(saves: number): Promise<{ code: number | null; summary: Record<string, string> }> {
  const demo = startDemo(saves);
  const code = await demo.exit;
  const lines = [...demo.output().matchAll(/^ {2}(\S.*?) {2,}(.*)$/gm)];
  const summary = Object.fromEntries(lines.map(([, what = '', value = '']) => [what, value]));
  // Shows the error if there is no summary.
  expect([demo.output(), lines.length]).toEqual([demo.output(), 7]);
  return { code, summary };
}

test('finds every acknowledged image whole, although processes were killed', async () => {
  const { code, summary } = await runDemo(300);
  expect(summary).toMatchObject({
    'saves acknowledged': '300',
    'processes killed': '6',
    'objects missing': '0',
    'objects broken': '0',
  });
  // Half of the saves have a name of their own.
  const [, whole, all] = /^(\d+) of (\d+)$/.exec(summary['objects checked whole'] ?? '') ?? [];
  expect(whole).toBe(all);
  expect(Number(all)).toBeGreaterThan(150);
  expect(code).toBe(0);
  // Each save was really sent, and no file is left.
  const sent = proxy.requests.filter((request) => /^PUT \S+\.png/.test(request));
  expect(sent.length).toBeGreaterThanOrEqual(300);
  expect(await objectsIn(bucket)).toEqual([]);
});

test('reports an acknowledged image that is missing', async () => {
  proxy.fateOf = (request): Fate => (/^PUT \S+\/once-7\.png/.test(request) ? 'pretended' : 'passes');
  const { code, summary } = await runDemo(60);
  expect(summary).toMatchObject({ 'objects missing': '1 once-7.png', 'objects broken': '0' });
  expect(code).toBe(1);
});

test('reports an acknowledged image that did not replace the old one', async () => {
  // The first save of each name is done: the last is not.
  const seen = new Set<string>();
  proxy.fateOf = (request): Fate => {
    const name = /^PUT \S+\/(again-[\d-]+\.png)/.exec(request)?.[1];
    if (name === undefined) return 'passes';
    if (seen.has(name)) return 'pretended';
    seen.add(name);
    return 'passes';
  };
  const { code, summary } = await runDemo(160);
  expect(summary['objects broken']).toMatch(/^[1-9]\d* again-/);
  expect(summary['objects missing']).toBe('0');
  expect(code).toBe(1);
});

test('Ctrl-C ends all processes', async () => {
  const demo = startDemo(100_000);
  while (!demo.output().includes('Saving')) await once(demo.child.stdout!, 'data');
  const [url] = /http:\/\/127\.0\.0\.1:\d+/.exec(demo.output())!;
  demo.child.kill('SIGINT');
  expect(await demo.exit).toBe(1);
  expect(demo.output()).toContain('Stopped');
  await expect(fetch(url)).rejects.toThrow();
});

test('ends with the reason when the bucket is missing', async () => {
  bucket = `${bucket}-not`;
  const demo = startDemo(20);
  expect(await demo.exit).toBe(1);
  expect(demo.output()).toContain('store-missing');
});
