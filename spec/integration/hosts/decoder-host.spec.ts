// Hosts with decoder processes: exits, kills and decoding.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { buildSync } from 'esbuild';
import { decodersOf, isRunning } from '../../support/decoders.js';
import { eventually } from '../../support/deferred.js';
import { noise } from '../../support/images.js';
import { packageBuild } from '../../support/package-build.js';
import { built, runInChild } from '../../support/run-in-child.js';
import { makeTempDir, onLinux, removeTempDirs } from '../../support/temp-dir.js';

const OPTIONS = { verify: 'pixels', maxPixels: 100_000_000 } as const;

onLinux('the host of a decoder process', () => {
  let folder = '';
  let path = '';
  beforeAll(async () => {
    folder = makeTempDir();
    path = join(folder, 'image.png');
    writeFileSync(path, await noise(1500, 1500).png().toBuffer());
    buildSync({ entryPoints: [resolve('spec/support/decoders.ts')], outfile: join(folder, 'decoders.mjs') });
  });
  afterAll(removeTempDirs);

  const script = (after: string): string => `
    import { readFileSync } from 'node:fs';
    const { inspectImage } = await import(${built('lib/image/inspect.ts')});
    const { MemoryBytes } = await import(${built('lib/bytes/image-bytes.ts')});
    const { decodersOf } = await import(${JSON.stringify(join(folder, 'decoders.mjs'))});
    const image = new MemoryBytes(readFileSync(${JSON.stringify(path)}));
    const inspect = () => inspectImage(image, ${JSON.stringify(OPTIONS)});
    ${after}`;

  /** Starts a host with a channel to this process. */
  const spawnHost = (text: string, env = {}): ChildProcess =>
    spawn(process.execPath, ['--input-type=module', '--eval', script(text)], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      env: { ...process.env, ...env },
    });
  const kill = async (host: ChildProcess): Promise<void> => {
    host.kill('SIGKILL');
    await once(host, 'exit');
  };

  it('exits by itself and leaves no decoder behind', async () => {
    const { before, after, pids } = (await runInChild(
      script(`
        const before = process.getActiveResourcesInfo();
        await inspect();
        await new Promise(setImmediate);
        const after = process.getActiveResourcesInfo();
        console.log(JSON.stringify({ before, after, pids: decodersOf(process.pid) }));`),
    )) as { before: string[]; after: string[]; pids: number[] };
    const holding = (resources: string[]): string[] =>
      resources.filter((resource) => /Process|Pipe|Timeout/.test(resource)).sort();
    expect(holding(after)).toEqual(holding(before));
    expect(pids).toHaveLength(1);
    await eventually(() => !pids.some(isRunning));
  });

  it.each(['idle', 'busy', 'stopped'])(
    'leaves no decoder behind when it is killed while a decoder is %s',
    async (state) => {
      const host = spawnHost(`
        await inspect();
        ${state === 'busy' ? 'setInterval(() => void inspect(), 1);' : 'setInterval(() => undefined, 1000);'}
        process.send(decodersOf(process.pid));`);
      const [started] = (await once(host, 'message')) as [number[]];
      expect(started).toHaveLength(1);
      const pids = decodersOf(host.pid!);
      if (state === 'stopped') process.kill(started[0]!, 'SIGSTOP');
      await kill(host);
      await eventually(() => ![...started, ...pids].some(isRunning));
    },
  );

  it('leaves no decoder behind when it is killed while a decoder hangs in its start', async () => {
    const dist = join(folder, 'hanging');
    cpSync(join(packageBuild(), 'dist'), dist, { recursive: true });
    writeFileSync(join(dist, 'image/check-image.js'), 'for (;;);');
    const start = `
      require(${JSON.stringify(join(dist, 'image/inspect.js'))}).warmUp(1);
      setInterval(() => undefined, 1000);`;
    const host = spawn(process.execPath, ['--eval', start], { stdio: 'inherit' });
    await eventually(() => decodersOf(host.pid!).length === 1);
    const pids = decodersOf(host.pid!);
    // Its priority shows that it has begun.
    await eventually(() => readFileSync(`/proc/${pids[0]}/oom_score_adj`, 'utf8').trim() === '1000');
    await kill(host);
    await eventually(() => !pids.some(isRunning));
  });

  it('decodes by itself where Node has another name, and starts no second copy of the application', () => {
    const application = join(folder, 'application');
    copyFileSync(process.execPath, application);
    const text = script('await inspect(); console.log(decodersOf(process.pid).length);');
    const args = ['--input-type=module', '--eval', text];
    const { stdout, stderr } = spawnSync(application, args, { encoding: 'utf8' });
    expect(stdout.trim()).toBe('0');
    expect(stderr).toMatch(/IMAGE_SAVE_NO_DECODER.*is an application/s);
  });

  it('hides its debugger, its preloaded modules and its channel from decoders', async () => {
    const log = join(folder, 'preloaded');
    const preload = join(folder, 'preload.cjs');
    writeFileSync(preload, `require('fs').appendFileSync(${JSON.stringify(log)}, process.pid + '\\n');`);
    const host = spawnHost('await inspect(); process.send({ pid: process.pid });', {
      NODE_OPTIONS: `--require ${preload} --no-warnings`,
    });
    expect(await once(host, 'message')).toMatchObject([{ pid: host.pid }]);
    await kill(host);
    expect(new Set(readFileSync(log, 'utf8').trim().split('\n'))).toEqual(new Set([String(host.pid)]));
  });

  it.each([
    ['CommonJS', `require(${JSON.stringify(require.resolve('sharp'))})`],
    ['ES modules', `(await import('sharp')).default`],
  ])(
    'of %s decodes by itself if no process can be started, warns once, and keeps its settings',
    (_, sharp) => {
      const bundle = join(folder, 'bundle.cjs');
      buildSync({
        stdin: {
          contents: `export * from './lib/image/inspect.ts'; export * from './lib/bytes/image-bytes.ts';`,
          resolveDir: resolve('.'),
        },
        outfile: bundle,
        bundle: true,
        platform: 'node',
        external: ['sharp'],
      });
      const host = `(async () => {
      const sharp = ${sharp};
      require('module').globalPaths.push(${JSON.stringify(resolve('node_modules'))});
      const { inspectImage, MemoryBytes } = require(${JSON.stringify(bundle)});
      const warnings = [];
      process.on('warning', ({ code, message }) => warnings.push([code, message]));
      sharp.cache({ memory: 33, files: 7, items: 44 });
      sharp.concurrency(2);
      const image = require('fs').readFileSync(${JSON.stringify(path)});
      const inspect = (bytes) => inspectImage(new MemoryBytes(bytes), ${JSON.stringify(OPTIONS)});
      const infos = await Promise.all([1, 2, 3].map(() => inspect(image)));
      const broken = await inspect(image.subarray(0, -1)).catch(({ code }) => code);
      await new Promise(setImmediate);
      const { memory, files, items } = sharp.cache();
      const limits = [memory.max, files.max, items.max, sharp.concurrency()];
      console.log(JSON.stringify({ infos, broken, warnings, limits, kept: items.current }));
    })();`;
      const { stdout, stderr } = spawnSync(process.execPath, ['--eval', host], {
        encoding: 'utf8',
        env: { ...process.env, NODE_PATH: resolve('node_modules') },
      });
      expect(stderr).toMatch(/IMAGE_SAVE_NO_DECODER/);
      const { infos, broken, warnings, limits, kept } = JSON.parse(stdout) as Record<string, unknown[]>;
      expect(infos).toMatchObject(Array(3).fill({ format: 'png', width: 1500 }));
      expect(broken).toBe('incomplete-image');
      expect(warnings).toEqual([['IMAGE_SAVE_NO_DECODER', expect.stringMatching(/cannot start a process/)]]);
      expect(limits).toEqual([33, 7, 44, 2]);
      expect(kept).toBe(0);
    },
  );
});
