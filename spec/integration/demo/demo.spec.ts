// `express-image-save demo` as a visitor runs it, from the built package: its output, its files and its exit.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { parseReply } from '../../../lib/index.js';
import { packageBuild } from '../../support/package-build.js';

const PROGRAM = path.join(packageBuild(), 'dist/cli.js');

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
  const demo = spawn(process.execPath, [PROGRAM, 'demo'], {
    env: { ...process.env, npm_lifecycle_event: '', SAVE_PATH: savePath, ...env },
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
  while (!demo.output().includes('Ctrl-C')) {
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
  const file = path.join(savePath, 'harbour.jpg');
  const { size } = await stat(file);
  const [reply] = /^#S7Z OK$[^]*?(?=^Open )/m.exec(output)!;
  expect(parseReply(reply)).toMatchObject({
    status: 'done',
    name: 'harbour.jpg',
    image: { width: 800, height: 533, type: 'image/jpeg', length: size },
  });
  expect(await sharp(file).metadata()).toMatchObject({ format: 'jpeg', width: 800, height: 533 });
  expect(output).toContain(`Saved images are in ${savePath}.`);

  const served = await fetch(`${demo.origin}/saved/harbour.jpg`);
  expect(Buffer.from(await served.arrayBuffer())).toEqual(await readFile(file));
  expect(served.headers.get('content-type')).toBe('image/jpeg');
  expect(served.headers.get('x-content-type-options')).toBe('nosniff');
});

test('every printed command works in a shell as it stands', async () => {
  const demo = await startServing();
  const lines = [...demo.output().matchAll(/^ {2}(\S.*?\S) {2,}(.*)$/gm)].map(([, what, line]) => [
    what,
    line,
  ]);
  const commands = Object.fromEntries(lines) as Record<string, string>;
  expect(Object.keys(commands)).toEqual(['Save a WebP', 'Get a refusal', 'View a file', 'Save a set']);
  const run = (line: string) => spawnSync(line, { shell: true, encoding: 'utf8' });
  expect(parseReply(run(commands['Save a WebP']!).stdout).status).toBe('done');
  expect(parseReply(run(commands['Get a refusal']!).stdout).error?.code).toBe('name-invalid');
  expect((await fetch(commands['View a file']!)).headers.get('content-type')).toBe('image/jpeg');
  const set = run(
    commands['Save a set']!.replace('npx express-image-save', `"${process.execPath}" "${PROGRAM}"`),
  );
  expect([set.status, set.stderr]).toEqual([0, expect.stringMatching(/done {5}8 /)]);
  const formats = ['aurora', 'dunes'].flatMap((name) => [320, 640].map((wid) => `${name}-${wid}`));
  const names = formats.flatMap((name) => [`${name}.jpeg`, `${name}.webp`]);
  expect((await readdir(savePath)).sort()).toEqual([...names, 'aurora.webp', 'harbour.jpg'].sort());
});

test('the demo serves its page, and nothing outside its folders', async () => {
  const { origin } = await startServing();
  const page = await fetch(origin);
  expect(page.headers.get('content-security-policy')).toMatch(/^default-src 'self';/);
  const parts = [...(await page.text()).matchAll(/(?:href|src)="([^"]+)"/g)].map(([, url]) => url!);
  expect(parts).toEqual(['icon.svg', 'style.css', 'page.js']);
  for (const part of parts) {
    const { status, headers } = await fetch(new URL(part, origin));
    expect([part, status, headers.get('x-content-type-options')]).toEqual([part, 200, 'nosniff']);
  }
  for (const outside of [
    '..%2fmain.mjs',
    '..%2fpictures%2fdunes.jpg',
    '%2e%2e%2fpictures/dunes.jpg',
    'saved/..%2fx.jpg',
    'saved/.hidden.jpg',
    'x%00.jpg',
    '%zz.jpg',
  ]) {
    expect([outside, (await fetch(`${origin}/${outside}`)).status]).toEqual([outside, 404]);
  }
  const list = async (name: string): Promise<unknown> => (await fetch(`${origin}/${name}.json`)).json();
  expect(await list('pictures')).toContainEqual({ id: 'harbour', width: 1200, height: 800 });
  const { size, mtimeMs } = await stat(path.join(savePath, 'harbour.jpg'));
  const image = { name: 'harbour.jpg', bytes: size, time: Math.floor(mtimeMs) };
  expect(await list('saved')).toEqual({ total: 1, images: [image] });
});

test('without SAVE_PATH it saves into a new temporary folder', async () => {
  const demo = start({ PORT: '0', SAVE_PATH: undefined, TMPDIR: savePath, TEMP: savePath });
  while (!demo.output().includes('Ctrl-C')) await once(child!.stdout!, 'data');
  const [, folder] = /Saved images are in (.+)\. Ctrl-C/.exec(demo.output())!;
  expect(path.dirname(folder!)).toBe(savePath);
  expect(await readdir(folder!)).toEqual(['harbour.jpg']);
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
    expect(demo.output()).toBe(
      `Port ${port} is in use. Choose another one: PORT=3001 npx express-image-save demo\n`,
    );
  } finally {
    other.close();
  }
});

test.each(['http', '65536', '-1', ''])('PORT=%s causes a clear message', async (port) => {
  const demo = start({ PORT: port });
  expect(await demo.exit).toBe(1);
  expect(demo.output()).toBe(
    `PORT must be a number from 0 to 65535, not '${port}'. For example: PORT=3001 npx express-image-save demo\n`,
  );
});

test('a failed first save ends the demo with the reason', async () => {
  // A folder stands where the file should go.
  await mkdir(path.join(savePath, 'harbour.jpg'));
  const demo = start({ PORT: '0' });
  expect(await demo.exit).toBe(1);
  expect(demo.output()).toMatch(/status=failed[^]*The first image was not saved: see the reply above\.\n$/);
});
