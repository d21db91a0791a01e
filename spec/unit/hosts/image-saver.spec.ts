// createImageSaver: saves from code, under the promises of the middleware.
import { createReadStream, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { createImageSaver, SaveError, type ImageSaverOptions, type SaveRecord } from '../../../lib/index.js';
import { createDeferred, eventually } from '../../support/deferred.js';
import { jpeg } from '../../support/images.js';
import { MemoryStore } from '../../support/memory-store.js';
import { codeOf } from '../../support/refusal.js';
import { built, runInChild } from '../../support/run-in-child.js';
import { useTempDir } from '../../support/temp-dir.js';

const inFolder = useTempDir();
let image: Buffer;
beforeAll(async () => {
  image = await jpeg();
});

const create = (options: ImageSaverOptions = {}): ReturnType<typeof createImageSaver> =>
  createImageSaver({ savePath: inFolder(), ...options });

async function* chunked(end?: () => Promise<unknown>): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < image.length; at += 5000) yield image.subarray(at, at + 5000);
  await end?.();
}

const KINDS: [string, () => Parameters<ReturnType<typeof createImageSaver>>[0]][] = [
  ['a Buffer', () => image],
  ['a Uint8Array', () => new Uint8Array(image)],
  ['a Readable', () => Readable.from(chunked())],
  [
    'a stream of a file',
    () => {
      writeFileSync(inFolder('source'), image);
      return createReadStream(inFolder('source'));
    },
  ],
  ['a ReadableStream', () => new Response(image).body!],
  ['an async iterable', () => chunked()],
  ['a Blob', () => new Blob([image])],
  ['a Response', () => new Response(image)],
  [
    'a Blob of another library',
    () => ({ size: image.length, stream: () => new Blob([image]).stream() }) as never,
  ],
  ['a stream of another library', () => foreignStream().stream as never],
  ['an async iterable that uses its memory again', () => reusing()],
];

/** A stream that is none of Node's, and how often it was destroyed. */
function foreignStream(end?: () => Promise<unknown>): { stream: object; destroyed: () => number } {
  const chunks = chunked(end);
  let destroyed = 0;
  const stream = { [Symbol.asyncIterator]: () => chunks, on: () => stream, destroy: () => (destroyed += 1) };
  return { stream, destroyed: () => destroyed };
}

async function* reusing(): AsyncGenerator<Uint8Array> {
  const memory = Buffer.alloc(2);
  for (let at = 0; at < image.length; at += 2) {
    yield Promise.resolve(memory.subarray(0, image.copy(memory, 0, at)));
  }
}

it.each(KINDS)('saves %s', async (_kind, make) => {
  const published: unknown[][] = [];
  const save = create({
    publicUrl: (...args) => `/saved/${args.join()}`,
    onPublished: (...args) => void published.push(args),
  });
  expect(await save(make(), { name: 'x.jpg' })).toEqual({
    name: 'x.jpg',
    url: '/saved/x.jpg',
    width: 320,
    height: 200,
    type: 'image/jpeg',
    pages: 1,
    pixels: 64_000,
    length: image.length,
    lastUpdated: expect.any(Number) as number,
  });
  expect(readFileSync(inFolder('x.jpg')).equals(image)).toBe(true);
  expect(published).toEqual([[expect.objectContaining({ outcome: 'done', url: '/saved/x.jpg' })]]);
});

it('saves into a store, which gets no request', async () => {
  const store = new MemoryStore();
  const prepare = jest.spyOn(store, 'prepare');
  await createImageSaver({ store })(image, { name: 'a/x.jpg' });
  expect(store.images.get('a/x.jpg')?.equals(image)).toBe(true);
  expect(prepare).toHaveBeenCalledWith('a/x.jpg', expect.objectContaining({ req: undefined }));
});

it('saves the bytes as they were when it was called', async () => {
  const bytes = Buffer.from(image);
  const saving = create()(bytes, { name: 'x.jpg' });
  bytes.fill(0);
  await saving;
  expect(readFileSync(inFolder('x.jpg')).equals(image)).toBe(true);
});

const iterating = (iterate: () => unknown): object => ({ [Symbol.asyncIterator]: iterate });
const used = (): Response => {
  const response = new Response(image);
  void response.arrayBuffer();
  return response;
};

it.each<[string, string, () => unknown, string?]>([
  ['name-invalid', 'a wrong name', () => image, '../x.jpg'],
  ['wrong-extension', 'another format', () => image, 'x.png'],
  ['folder-missing', 'a missing folder', () => image, 'no/x.jpg'],
  ['not-an-image', 'no image', () => Buffer.from('text')],
  ['incomplete-image', 'half an image', () => image.subarray(0, 9000)],
  [
    'renderer-aborted',
    'a stream that fails',
    () => Readable.from(chunked(() => Promise.reject(new Error('lost')))),
  ],
  ['renderer-aborted', 'a missing file', () => createReadStream(inFolder('none'))],
  [
    'renderer-aborted',
    'an iterable that throws',
    () =>
      iterating(() => {
        throw new Error('lost');
      }),
  ],
  ['renderer-aborted', 'an iterable that is none', () => iterating(() => ({ next: () => undefined }))],
  ['renderer-failed', 'a stream of objects', () => Readable.from([{ a: 1 }])],
  [
    'renderer-failed',
    'a stream that has been read',
    async () => {
      const stream = Readable.from(chunked());
      await buffer(stream);
      return stream;
    },
  ],
  [
    'renderer-failed',
    'a ReadableStream that has been read',
    async () => {
      const { body } = new Response(image);
      await buffer(body as never);
      return body;
    },
  ],
  [
    'renderer-failed',
    'a ReadableStream that is being read',
    () => {
      const { body } = new Response(image);
      body!.getReader();
      return body;
    },
  ],
  ['renderer-failed', 'a Response that has been used', used],
  ['renderer-status', 'a Response of another status', () => new Response(image, { status: 404 })],
  [
    'length-mismatch',
    'a Response of another length',
    () => new Response(image, { headers: { 'content-length': '1' } }),
  ],
])('rejects with %s: %s', async (code, _what, make, name = 'x.jpg') => {
  const records: SaveRecord[] = [];
  const save = create({ onSave: (record) => void records.push(record) });
  const source = (await make()) as never;
  expect(await codeOf(() => save(source, { name }))).toBe(code);
  await save.idle();
  expect(readdirSync(inFolder())).toEqual([]);
  expect(records.map((record) => record.code)).toEqual([code]);
});

it('rejects at its time limit, and destroys the stream', async () => {
  const stream = Readable.from(chunked(() => new Promise(() => undefined)));
  const save = create();
  await expect(save(stream, { name: 'x.jpg', timeout: 50 })).rejects.toMatchObject({ code: 'timeout' });
  expect(stream.destroyed).toBe(true);
  const foreign = foreignStream(() => new Promise(() => undefined));
  await expect(save(foreign.stream as never, { name: 'x.jpg', timeout: 50 })).rejects.toMatchObject({
    code: 'timeout',
  });
  expect(foreign.destroyed()).toBe(1);
});

it('rejects for a stream that fails while the save waits for its turn', async () => {
  const first = createDeferred<undefined>();
  const save = create({ concurrency: 1 });
  const running = save(
    chunked(() => first.promise),
    { name: 'a.jpg' },
  );
  const stream = createReadStream(inFolder('none'));
  const waiting = codeOf(() => save(stream, { name: 'b.jpg' }));
  await eventually(() => stream.closed);
  first.resolve(undefined);
  await running;
  expect(await waiting).toBe('renderer-aborted');
});

it.each(['before', 'during'])('rejects with the reason of a signal that aborts %s', async (when) => {
  const controller = new AbortController();
  const reason = new Error('no longer wanted');
  if (when === 'before') controller.abort(reason);
  const stream = Readable.from(
    chunked(() => {
      controller.abort(reason);
      return new Promise(() => undefined);
    }),
  );
  const save = create();
  await expect(save(stream, { name: 'x.jpg', signal: controller.signal })).rejects.toBe(reason);
  await save.idle();
  expect([stream.destroyed, readdirSync(inFolder())]).toEqual([true, []]);
});

it('lets many saves share one signal, without a warning of a leak', async () => {
  // In a process of its own: Jest keeps Node's warnings from the specs.
  const warnings = await runInChild(`
    import { createImageSaver } from ${built('lib/index.ts')};
    const warnings = [];
    process.on('warning', ({ name }) => warnings.push(name));
    const save = createImageSaver({ savePath: ${JSON.stringify(inFolder())} });
    const image = Buffer.from('${image.toString('base64')}', 'base64');
    const { signal } = new AbortController();
    await Promise.all(Array.from({ length: 20 }, (_, at) => save(image, { name: at + '.jpg', signal })));
    console.log(JSON.stringify(warnings));`);
  expect(warnings).toEqual([]);
});

it('admits saves as the middleware does', async () => {
  const first = createDeferred<undefined>();
  const save = create({ concurrency: 1, maxQueue: 1 });
  const saves = [
    save(
      chunked(() => first.promise),
      { name: 'a.jpg' },
    ),
    save(image, { name: 'b.jpg' }),
  ];
  await eventually(() => save.running === 1 && save.waiting === 1);
  await expect(save(image, { name: 'c.jpg' })).rejects.toBeInstanceOf(SaveError);
  first.resolve(undefined);
  await Promise.all(saves);
  await save.check();
  expect([save.running, save.waiting, readdirSync(inFolder()).sort()]).toEqual([0, 0, ['a.jpg', 'b.jpg']]);
});

it.each([
  ['authorize', () => createImageSaver({ authorize: () => true } as never)],
  ['allowCrossSite', () => createImageSaver({ allowCrossSite: false } as never)],
  ['savePath', () => createImageSaver({ savePath: (() => '.') as never })],
  ['savePath', () => createImageSaver({ savepath: '.' } as never)],
])('names the option %s, which it does not take', (word, call) => {
  expect(call).toThrow(TypeError);
  expect(call).toThrow(word);
});

it.each([
  ['name', () => create()(image, {} as never)],
  ['timeout', () => create()(image, { name: 'x.jpg', timeout: 0 })],
  ['signal', () => create()(image, { name: 'x.jpg', signal: {} as never })],
  ['An image is a Buffer', () => create()('x' as never, { name: 'x.jpg' })],
  ['An image is a Buffer', () => create()(new ArrayBuffer(1) as never, { name: 'x.jpg' })],
  ['an object of options', () => create()(image, undefined as never)],
  ['An image is a Buffer', () => create()(null as never, { name: 'x.jpg' })],
])('rejects with a TypeError for a wrong %s', async (word, call) => {
  await expect(call()).rejects.toThrow(TypeError);
  await expect(call()).rejects.toThrow(word);
});
