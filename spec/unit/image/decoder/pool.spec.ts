// Decoder processes: one image each, killed with their save, replaced when they end or grow.
import { MemoryBytes } from '../../../../lib/bytes/image-bytes.js';
import childProcess from 'node:child_process';
import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { readFileSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import type { inspectImage as inspectType } from '../../../../lib/image/inspect.js';
import { decodersOf, isRunning } from '../../../support/decoders.js';
import { eventually } from '../../../support/deferred.js';
import { get } from '../../../support/client.js';
import { start, stopAll } from '../../../support/host.js';
import { jpeg } from '../../../support/images.js';
import { onLinux, useTempDir } from '../../../support/temp-dir.js';

const inFolder = useTempDir();
const OPTIONS = { verify: 'pixels', maxPixels: 100_000_000 } as const;
let inspectImage: typeof inspectType;
beforeEach(async () => {
  // Decoders of earlier specs, if they ran in this process.
  await endDecoders();
  // A pool of its own for each test, because a pool pauses before it replaces a killed decoder.
  jest.resetModules();
  ({ inspectImage } = await import('../../../../lib/image/inspect.js'));
});

const decoders = (): number[] => decodersOf(process.pid);

afterEach(async () => {
  jest.restoreAllMocks();
  await stopAll();
  await endDecoders();
});

async function endDecoders(): Promise<void> {
  const pids = decoders();
  for (const pid of pids) process.kill(pid, 'SIGKILL');
  await eventually(() => !pids.some(isRunning));
}

/** Leaves one decoder, which is idle. */
async function startDecoder(image: Buffer): Promise<number> {
  await inspectImage(new MemoryBytes(image), OPTIONS);
  const [pid] = decoders();
  return pid!;
}

onLinux('a decoder process', () => {
  let image: Buffer;
  beforeAll(async () => {
    image = await jpeg(64, 48);
  });

  it('inspects one image after the other', async () => {
    const pid = await startDecoder(image);
    expect(await inspectImage(new MemoryBytes(image), OPTIONS)).toMatchObject({ width: 64, height: 48 });
    expect(decoders()).toEqual([pid]);
  });

  it('starts no process for a header that the host can read', async () => {
    expect(decoders()).toEqual([]);
    await inspectImage(new MemoryBytes(image), { ...OPTIONS, verify: 'header' });
    expect(decoders()).toEqual([]);
  });

  it('starts ahead, one for each image that is being rendered, as many as there may be', async () => {
    const { warmUp } = await import('../../../../lib/image/inspect.js');
    const { MAX_DECODERS } = await import('../../../../lib/image/decoder/pool.js');
    const spawn = jest.spyOn(childProcess, 'spawn');
    const started = (): number => spawn.mock.calls.filter(([program]) => program === process.execPath).length;
    for (let save = 0; save < 3; save += 1) warmUp(1);
    expect(started()).toBe(1);
    for (let save = 0; save < 9; save += 1) warmUp(9);
    expect(started()).toBe(MAX_DECODERS);
    await eventually(() => decoders().length === MAX_DECODERS);
  });

  it('starts while the first image is being rendered', async () => {
    jest.resetModules();
    const { imageSave } = await import('../../../../lib/index.js');
    const render = async (_req: unknown, res: ServerResponse): Promise<void> => {
      await eventually(() => decoders().length === 1);
      res.end(image);
    };
    const { url } = await start([imageSave({ savePath: inFolder() }), render], 'http.createServer');
    expect((await get(`${url}/?req=saveToFile&name=a.jpg`)).reply.status).toBe('done');
  });

  it('kills the process when the signal aborts, and starts another for the next image', async () => {
    const pid = await startDecoder(image);
    process.kill(pid, 'SIGSTOP');
    const controller = new AbortController();
    const inspection = inspectImage(new MemoryBytes(image), { ...OPTIONS, signal: controller.signal });
    // The stopped decoder has the image.
    await new Promise(setImmediate);
    controller.abort(new Error('the deadline passed'));
    await expect(inspection).rejects.toThrow('the deadline passed');
    await eventually(() => !isRunning(pid));
    expect(await inspectImage(new MemoryBytes(image), OPTIONS)).toMatchObject({ width: 64 });
  });

  it('gives an image whose process was killed to another one', async () => {
    const pid = await startDecoder(image);
    process.kill(pid, 'SIGSTOP');
    const inspection = inspectImage(new MemoryBytes(image), OPTIONS);
    await new Promise(setImmediate);
    process.kill(pid, 'SIGKILL');
    expect(await inspection).toMatchObject({ width: 64 });
  });

  it('inspects an image although its process was killed before the host knows of it', async () => {
    const pid = await startDecoder(image);
    process.kill(pid, 'SIGKILL');
    expect(await inspectImage(new MemoryBytes(image), OPTIONS)).toMatchObject({ width: 64 });
  });

  /** `inspectImage` with another program in the decoder's place, which appends to the file `started` when it starts. */
  async function withProgram(text: string): Promise<typeof inspectType> {
    const program = inFolder('program.cjs');
    writeFileSync(
      program,
      `require('node:fs').appendFileSync(${JSON.stringify(inFolder('started'))}, '.');
      const channel = new (require('node:net').Socket)({ fd: 3 }).resume();
      ${text}`,
    );
    jest.resetModules();
    jest.doMock('../../../support/decoder-program.js', () => ({ getDecoderProgram: () => [program] }));
    const { inspectImage: inspectByProgram } = await import('../../../../lib/image/inspect.js');
    jest.dontMock('../../../support/decoder-program.js');
    return inspectByProgram;
  }
  const READY = `channel.write('{"ready":true,"memory":2e9}\\n');`;

  it.each([
    ['SIGSEGV', 'broken-image', 'process.kill(process.pid, "SIGSEGV")'],
    // The system ends the largest process when memory is short.
    ['SIGKILL', 'out-of-resources', 'process.kill(process.pid, "SIGKILL")'],
    // GLib ends its process so.
    [
      'failed to allocate',
      'out-of-resources',
      'console.error("GLib-ERROR: failed to allocate 9 bytes"); process.abort()',
    ],
  ])('refuses an image that ends two processes by %s as %s', async (how, code, end) => {
    const inspectByCrash = await withProgram(`${READY} channel.on('data', () => { ${end}; });`);
    const cause: unknown = expect.objectContaining({ message: expect.stringContaining(how) as string });
    await expect(inspectByCrash(new MemoryBytes(image), OPTIONS)).rejects.toMatchObject({ code, cause });
    expect(readFileSync(inFolder('started'), 'utf8')).toBe('..');
  });

  it('never decodes in the host what has ended a decoder, even if no other starts', async () => {
    const again = `if (require('node:fs').readFileSync(${JSON.stringify(inFolder('started'))}).length > 1) process.exit(1);`;
    const inspectByCrash = await withProgram(`${again} ${READY} channel.on('data', () => process.abort());`);
    await expect(inspectByCrash(new MemoryBytes(image), OPTIONS)).rejects.toMatchObject({
      code: 'out-of-resources',
    });
  });

  it.each([
    ['no JSON', 'x'],
    ['null', 'null'],
    ['a number', '7'],
    ['a string', '"ready"'],
    ['an object', '{}'],
    ['70,000 letters', 'x'.repeat(70_000)],
  ])('decodes in the host if a program in its place writes another line: %s', async (_what, text) => {
    const emitWarning = jest.spyOn(process, 'emitWarning').mockReturnValue();
    const inspectByOther = await withProgram(`channel.write(${JSON.stringify(text)} + '\\n');`);
    expect(await inspectByOther(new MemoryBytes(image), OPTIONS)).toMatchObject({ width: 64 });
    expect(emitWarning).toHaveBeenCalledTimes(1);
    // It is not tried again soon.
    const { warmUp } = await import('../../../../lib/image/inspect.js');
    const spawn = jest.spyOn(childProcess, 'spawn');
    warmUp(1);
    expect(spawn).not.toHaveBeenCalled();
  });

  it('gives up a process that is not ready in time, and decodes in the host', async () => {
    const { setTimeout: real } = globalThis;
    jest
      .spyOn(globalThis, 'setTimeout')
      .mockImplementation((call: () => void, delay = 0) => real(call, delay === 10_000 ? 0 : delay));
    const emitWarning = jest.spyOn(process, 'emitWarning').mockReturnValue();
    expect(await inspectImage(new MemoryBytes(image), OPTIONS)).toMatchObject({ width: 64 });
    expect(emitWarning.mock.calls).toEqual([
      [expect.stringContaining('not ready in time'), expect.anything()],
    ]);
    await eventually(() => decoders().length === 0);
  });

  it('makes the process the first that the system ends when memory is short', async () => {
    const pid = await startDecoder(image);
    expect(readFileSync(`/proc/${pid}/oom_score_adj`, 'utf8').trim()).toBe('1000');
  });

  it('replaces a process that was killed while idle', async () => {
    const pid = await startDecoder(image);
    process.kill(pid, 'SIGKILL');
    await eventually(() => !isRunning(pid));
    expect(await inspectImage(new MemoryBytes(image), OPTIONS)).toMatchObject({ width: 64 });
    expect(decoders()).not.toContain(pid);
  });

  it('keeps a process that occupies much memory from its start', async () => {
    const inspect = await withProgram(
      `${READY} channel.on('data', () => channel.write('{"info":{"width":64},"memory":2.01e9}\\n'));`,
    );
    for (let at = 0; at < 2; at++) await inspect(new MemoryBytes(image), OPTIONS);
    expect(readFileSync(inFolder('started'), 'utf8')).toBe('.');
  });

  it('replaces a process that has grown much by an image', async () => {
    const pid = await startDecoder(image);
    // The decoder keeps the memory that it read the image into.
    const trailed = Buffer.concat([image, Buffer.alloc(300e6)]);
    expect(await inspectImage(new MemoryBytes(trailed), OPTIONS)).toMatchObject({ width: 64 });
    await eventually(() => !isRunning(pid));
  });

  it('ends a process that stays idle', async () => {
    const idle: (() => void)[] = [];
    const { setTimeout: real } = globalThis;
    jest.spyOn(globalThis, 'setTimeout').mockImplementation((call: () => void, delay = 0) => {
      if (delay === 30_000) idle.push(call);
      return real(call, delay);
    });
    const pid = await startDecoder(image);
    expect(isRunning(pid)).toBe(true);
    idle.at(-1)?.();
    await eventually(() => !isRunning(pid));
    expect(await inspectImage(new MemoryBytes(image), OPTIONS)).toMatchObject({ width: 64 });
  });

  it('starts a waiting image when another save is aborted', async () => {
    await startDecoder(image);
    const images = await Promise.all(
      Array.from({ length: 12 }, () => inspectImage(new MemoryBytes(image), OPTIONS)),
    );
    expect(images).toHaveLength(12);
    for (const pid of decoders()) process.kill(pid, 'SIGSTOP');
    const count = decoders().length;
    const controllers = Array.from({ length: 12 }, () => new AbortController());
    const inspections = controllers.map(({ signal }) =>
      inspectImage(new MemoryBytes(image), { ...OPTIONS, signal }),
    );
    const settled = Promise.allSettled(inspections);
    await new Promise(setImmediate);
    for (const controller of controllers.slice(0, 8)) controller.abort(new Error('disconnected'));
    const states = (await settled).map(({ status }) => status);
    expect(states.slice(0, 8)).toEqual(Array(8).fill('rejected'));
    expect(states.slice(8)).toEqual(Array(4).fill('fulfilled'));
    expect(decoders().length).toBeLessThanOrEqual(Math.max(4, count));
  });

  it('kills the process at the deadline of its save', async () => {
    const { imageSave } = await import('../../../../lib/index.js');
    const save = imageSave({ savePath: inFolder() });
    const { url } = await start([save, (_req, res) => res.end(image)], 'http.createServer');
    const reply = async (timeout: number): Promise<string> =>
      (await get(`${url}/?req=saveToFile&name=a.jpg&timeout=${timeout}`)).reply.status;
    expect(await reply(60_000)).toBe('done');
    const [pid] = decoders();
    process.kill(pid!, 'SIGSTOP');
    expect(await reply(100)).toBe('timeout');
    await eventually(() => !isRunning(pid!));
    expect(await reply(60_000)).toBe('done');
  });

  it('refuses an image while no fd is free for a process, and starts one for the next image', async () => {
    // What Node does then: it returns a child without stdio, and emits the error later.
    const child = new EventEmitter();
    const processes: { spawn(...args: never[]): unknown } = childProcess;
    jest.spyOn(processes, 'spawn').mockImplementationOnce(() => {
      process.nextTick(() => child.emit('error', new Error('spawn EMFILE')));
      return child;
    });
    await expect(inspectImage(new MemoryBytes(image), OPTIONS)).rejects.toMatchObject({
      code: 'too-many-open-files',
    });
    expect(await inspectImage(new MemoryBytes(image), OPTIONS)).toMatchObject({ width: 64 });
    expect(decoders()).toHaveLength(1);
  });

  it('refuses another file that was put in the place of the image', async () => {
    const { Decoder } = await import('../../../../lib/image/decoder/client.js');
    const path = inFolder('image.jpg');
    writeFileSync(path, image);
    const { dev, ino } = statSync(path, { bigint: true });
    const file = { path, identity: `${dev}:${ino}` };
    const request = { ...OPTIONS, format: 'jpeg', length: image.length, file } as const;
    const decoder = new Decoder();
    await decoder.ready;
    expect(await decoder.inspect(request, undefined)).toMatchObject({ info: { width: 64 } });
    // The first file must keep its inode, or the second could get the same.
    renameSync(path, inFolder('moved'));
    writeFileSync(path, image);
    expect(await decoder.inspect(request, undefined)).toMatchObject({ error: { code: 'folder-changed' } });
    rmSync(path);
    symlinkSync('moved', path);
    expect(await decoder.inspect(request, undefined)).toHaveProperty('error.code');
    decoder.kill();
  });

  it('lets the process ignore signals sent to the whole process group', async () => {
    const pid = await startDecoder(image);
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(pid, signal);
    expect(await inspectImage(new MemoryBytes(image), OPTIONS)).toMatchObject({ width: 64 });
    expect(decoders()).toEqual([pid]);
  });
});
