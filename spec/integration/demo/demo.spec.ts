// `npm run demo` as a user runs it: a real process, its output, its files and its exit.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { parseReply } from '../../../lib/index.js';

// Starting TypeScript takes its time on a busy machine.
jest.setTimeout(60_000);

let savePath: string;
let child: ChildProcess | undefined;

beforeEach(async () => {
  savePath = await mkdtemp(path.join(tmpdir(), 'demo-'));
});

afterEach(async () => {
  if (child?.exitCode === null && child.signalCode === null) {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  await rm(savePath, { recursive: true });
});

interface Demo {
  output: () => string;
  exit: Promise<number | null>;
  stop: (signal: NodeJS.Signals) => void;
}

function start(env: NodeJS.ProcessEnv): Demo {
  let output = '';
  const demo = spawn(process.execPath, ['--import', 'tsx', 'demo/main.ts'], {
    env: { ...process.env, SAVE_PATH: savePath, ...env },
  });
  child = demo;
  for (const stream of [demo.stdout, demo.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  return {
    output: () => output,
    exit: once(demo, 'close').then(([code]) => code as number | null),
    stop: (signal) => demo.kill(signal),
  };
}

/** Starts the demo on a free port and waits until it reports that it serves. */
async function startServing(): Promise<Demo & { origin: string }> {
  const demo = start({ PORT: '0' });
  const ended = demo.exit.then((code) => {
    throw new Error(`The demo ended with ${code}:\n${demo.output()}`);
  });
  ended.catch(() => undefined);
  while (!demo.output().includes('/saved/harbour.jpg')) {
    await Promise.race([once(child!.stdout!, 'data'), ended]);
  }
  return { ...demo, origin: /http:\/\/127\.0\.0\.1:\d+/.exec(demo.output())![0] };
}

test('the demo saves a first image, prints its path and serves it with its own type', async () => {
  const demo = await startServing();
  const output = demo.output();

  expect(output).toContain(
    `$ curl '${demo.origin}/is/image/harbour?wid=800&req=saveToFile&name=harbour.jpg'\n#S7Z OK\n`,
  );
  const [, file, bytes] = /^Saved (.+), (\d+) bytes\.$/m.exec(output)!;
  expect(path.resolve(file!)).toBe(path.join(savePath, 'harbour.jpg'));
  const [reply] = /^#S7Z OK$[^]*?(?=^Saved )/m.exec(output)!;
  expect(parseReply(reply)).toMatchObject({
    status: 'done',
    name: 'harbour.jpg',
    image: { width: 800, height: 534, type: 'image/jpeg', length: Number(bytes) },
  });
  expect((await stat(file!)).size).toBe(Number(bytes));
  expect(await sharp(file).metadata()).toMatchObject({ format: 'jpeg', width: 800, height: 534 });

  const served = await fetch(`${demo.origin}/saved/harbour.jpg`);
  expect(Buffer.from(await served.arrayBuffer())).toEqual(await readFile(file!));
  expect(served.headers.get('content-type')).toBe('image/jpeg');
  expect(served.headers.get('x-content-type-options')).toBe('nosniff');
});

test('every printed URL works as described', async () => {
  const demo = await startServing();
  const answers = new Map<string, string>();
  for (const [, what, url] of demo.output().matchAll(/^ {2}(\S.*\S) {2,}(http\S+)$/gm)) {
    const response = await fetch(url!);
    const text = await response.text();
    const reply = response.headers.get('content-type')?.startsWith('text/plain')
      ? parseReply(text).status
      : '';
    answers.set(what!, `${response.status} ${response.headers.get('content-type')} ${reply}`.trim());
  }
  expect(Object.fromEntries(answers)).toEqual({
    'Open the page': '200 text/html; charset=utf-8',
    Render: '200 image/jpeg',
    'Save a PNG': '200 text/plain done',
    'Save a WebP': '200 text/plain done',
    'Get a refusal': '403 text/plain failed',
    'View a file': '200 image/jpeg',
  });
});

test('the printed batch command works as it stands', async () => {
  const demo = await startServing();
  const [line] = /^ *npx tsx .*$/m.exec(demo.output())!;
  const { status, stderr } = spawnSync(line, { shell: true, encoding: 'utf8' });
  expect([status, stderr]).toEqual([0, expect.stringMatching(/done {5}8 /)]);
  const formats = ['aurora', 'dunes'].flatMap((name) => [320, 640].map((wid) => `${name}-${wid}`));
  const names = formats.flatMap((name) => [`${name}.jpeg`, `${name}.webp`]);
  expect((await readdir(savePath)).sort()).toEqual([...names, 'harbour.jpg'].sort());
});

test("the demo serves its page, the page's files and its two lists", async () => {
  const { origin } = await startServing();
  const page = await fetch(origin);
  expect(page.headers.get('content-security-policy')).toMatch(/^default-src 'self';/);
  const parts = [...(await page.text()).matchAll(/(?:href|src)="([^"]+)"/g)].map(([, url]) => url!);
  expect(parts).toEqual(['icon.svg', 'style.css', 'page.js', '/']);
  for (const part of parts) {
    const { status, headers } = await fetch(new URL(part, origin));
    expect({ part, status }).toEqual({ part, status: 200 });
    expect(headers.get('x-content-type-options')).toBe('nosniff');
  }

  const list = async (name: string): Promise<unknown> => (await fetch(`${origin}/${name}.json`)).json();
  expect(await list('pictures')).toContainEqual({ id: 'harbour', width: 1600, height: 1067 });
  const { size, mtimeMs } = await stat(path.join(savePath, 'harbour.jpg'));
  const image = { name: 'harbour.jpg', width: 800, height: 534, type: 'image/jpeg' };
  expect(await list('saved')).toEqual({
    total: 1,
    images: [{ ...image, bytes: size, time: Math.floor(mtimeMs) }],
  });
});

// On Windows a process is not asked to end: it is ended.
const whereAsked = process.platform === 'win32' ? test.skip : test;

whereAsked.each(['SIGINT', 'SIGTERM'] as const)('%s ends it cleanly', async (signal) => {
  const demo = await startServing();
  demo.stop(signal);
  expect(await demo.exit).toBe(0);
});

test('a port in use causes a clear message', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  try {
    const demo = start({ PORT: String(port) });
    expect(await demo.exit).toBe(1);
    expect(demo.output()).toBe(`Port ${port} is in use. Choose another one: PORT=3001 npm run demo\n`);
  } finally {
    other.close();
  }
});

test.each(['http', '65536', '-1', ''])('PORT=%s causes a clear message', async (port) => {
  const demo = start({ PORT: port });
  expect(await demo.exit).toBe(1);
  expect(demo.output()).toBe(
    `PORT must be a number from 0 to 65535, not '${port}'. For example: PORT=3001 npm run demo\n`,
  );
});

test('a failed first save ends the demo with the reason', async () => {
  // A folder stands where the file should go.
  await mkdir(path.join(savePath, 'harbour.jpg'));
  const demo = start({ PORT: '0' });
  expect(await demo.exit).toBe(1);
  expect(demo.output()).toMatch(/status=failed[^]*The first image was not saved: see the reply above\.\n$/);
});
