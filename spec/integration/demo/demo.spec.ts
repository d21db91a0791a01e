// `express-image-save demo` as a visitor runs it, from the built package: its output, its files and its exit.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import sharp from 'sharp';
import { parseReply } from '../../../lib/index.js';
import { start as startServer, stopAll } from '../../support/host.js';
import { packageBuild } from '../../support/package-build.js';
import { useTempDir } from '../../support/temp-dir.js';
import { stopCommands, watch, type Command } from '../batch/cli-process.js';

const PROGRAM = path.join(packageBuild(), 'dist/cli.js');

const saved = useTempDir();
afterEach(async () => {
  await stopCommands();
  await stopAll();
});

const start = (env: NodeJS.ProcessEnv): Command =>
  watch(
    spawn(process.execPath, [PROGRAM, 'demo'], {
      env: { ...process.env, npm_lifecycle_event: '', SAVE_PATH: saved(), ...env },
    }),
  );

/** Starts the demo on a free port and waits until it reports that it serves. */
async function startServing(env: NodeJS.ProcessEnv = {}): Promise<Command & { origin: string }> {
  const demo = start({ PORT: '0', ...env });
  const ended = demo.ended.then((code) => {
    throw new Error(`The demo ended with ${code}:\n${demo.stdout()}${demo.stderr()}`);
  });
  ended.catch(() => undefined);
  while (!demo.stdout().includes('Ctrl-C')) await Promise.race([once(demo.child.stdout!, 'data'), ended]);
  return { ...demo, origin: /http:\/\/127\.0\.0\.1:\d+/.exec(demo.stdout())![0] };
}

/** Expects that the demo ends by itself with status 1. Returns what it printed. */
async function expectFailure(env: NodeJS.ProcessEnv): Promise<string> {
  const demo = start(env);
  expect(await demo.ended).toBe(1);
  return demo.stdout() + demo.stderr();
}

test('the demo saves a first image, prints its path and serves it with its own type', async () => {
  const demo = await startServing();
  const output = demo.stdout();

  expect(output).toContain(
    `$ curl '${demo.origin}/is/image/harbour?wid=800&req=saveToFile&name=harbour.jpg'\n#S7Z OK\n`,
  );
  const file = saved('harbour.jpg');
  const { size } = await stat(file);
  const [reply] = /^#S7Z OK$[^]*?(?=^Open )/m.exec(output)!;
  expect(parseReply(reply)).toMatchObject({
    status: 'done',
    name: 'harbour.jpg',
    image: { width: 800, height: 533, type: 'image/jpeg', length: size },
  });
  expect(await sharp(file).metadata()).toMatchObject({ format: 'jpeg', width: 800, height: 533 });
  expect(output).toContain(`Saved images are in ${saved()}.`);

  const served = await fetch(`${demo.origin}/saved/harbour.jpg`);
  expect(Buffer.from(await served.arrayBuffer())).toEqual(await readFile(file));
  expect(served.headers.get('content-type')).toBe('image/jpeg');
  expect(served.headers.get('x-content-type-options')).toBe('nosniff');
});

test('every printed command works in a shell as it stands', async () => {
  const demo = await startServing();
  const lines = [...demo.stdout().matchAll(/^ {2}(\S.*?\S) {2,}(.*)$/gm)].map(([, what, line]) => [
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
  expect((await readdir(saved())).sort()).toEqual([...names, 'aurora.webp', 'harbour.jpg'].sort());
});

test('the demo serves its page, and nothing outside its folders', async () => {
  const { origin } = await startServing();
  const page = await fetch(origin);
  const policy = page.headers.get('content-security-policy');
  // No inline code, and no code of other sites.
  expect(policy).toMatch(/^default-src 'self';/);
  expect(policy).not.toMatch(/unsafe|\*|https?:|data:/);
  const parts = [...(await page.text()).matchAll(/(?:href|src)="([^"]+)"/g)].map(([, url]) => url!);
  expect(parts).toEqual(['icon.svg', 'style.css', 'page.js']);
  for (const part of parts) {
    const { status, headers } = await fetch(new URL(part, origin));
    expect([part, status, headers.get('x-content-type-options')]).toEqual([part, 200, 'nosniff']);
  }
  const above = '..%2fmain.mjs ..%2fpictures%2fdunes.jpg %2e%2e%2fpictures/dunes.jpg saved/..%2fx.jpg';
  for (const outside of [...above.split(' '), 'saved/.hidden.jpg', 'x%00.jpg', '%zz.jpg']) {
    expect([outside, (await fetch(`${origin}/${outside}`)).status]).toEqual([outside, 404]);
  }
  const list = async (name: string): Promise<unknown> => (await fetch(`${origin}/${name}.json`)).json();
  expect(await list('pictures')).toContainEqual({ id: 'harbour', width: 1200, height: 800 });
  const { size, mtimeMs } = await stat(saved('harbour.jpg'));
  const image = { name: 'harbour.jpg', bytes: size, time: Math.floor(mtimeMs) };
  expect(await list('saved')).toEqual({ total: 1, images: [image] });
});

test('without SAVE_PATH it saves into a new temporary folder', async () => {
  const demo = await startServing({ SAVE_PATH: undefined, TMPDIR: saved(), TEMP: saved() });
  const [, folder] = /Saved images are in (.+)\. Ctrl-C/.exec(demo.stdout())!;
  expect(path.dirname(folder!)).toBe(saved());
  expect(await readdir(folder!)).toEqual(['harbour.jpg']);
});

// On Windows a process is not asked to end: it is ended.
const whereAsked = process.platform === 'win32' ? test.skip : test;

whereAsked.each(['SIGINT', 'SIGTERM'] as const)('%s ends it cleanly', async (signal) => {
  const demo = await startServing();
  demo.child.kill(signal);
  expect(await demo.ended).toBe(0);
});

test('a port in use causes a clear message, and no folder', async () => {
  const { port } = await startServer([]);
  expect(await expectFailure({ PORT: String(port), SAVE_PATH: saved('new') })).toBe(
    `Port ${port} is in use. Choose another one: PORT=3001 npx express-image-save demo\n`,
  );
  expect(await readdir(saved())).toEqual([]);
});

test.each(['http', '65536', '-1', ''])('PORT=%s causes a clear message', async (port) => {
  expect(await expectFailure({ PORT: port })).toBe(
    `PORT must be a number from 0 to 65535, not '${port}'. For example: PORT=3001 npx express-image-save demo\n`,
  );
});

test('no folder, and a failed first save, end the demo with the reason', async () => {
  expect(await expectFailure({ PORT: '0', SAVE_PATH: PROGRAM })).toContain('Name one: SAVE_PATH=./saved npx');
  await mkdir(saved('harbour.jpg')); // where the file should go
  expect(await expectFailure({ PORT: '0' })).toMatch(
    /status=failed[^]*The first image was not saved: see the reply above\.\n$/,
  );
});
