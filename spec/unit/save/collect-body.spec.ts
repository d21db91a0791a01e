// Collecting a rendered body: its bytes, decoded and counted, in memory or in a file.
import { createCipheriv } from 'node:crypto';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import type { Transform } from 'node:stream';
import {
  brotliCompressSync,
  constants,
  createInflate,
  deflateRawSync,
  deflateSync,
  gzipSync,
} from 'node:zlib';
import { SaveError } from '../../../lib/errors.js';
import { collectBody, type CollectOptions } from '../../../lib/save/collect-body.js';
import type { ResponseHead, RenderedImage } from '../../../lib/save/exchange.js';
import type { ImageBytes } from '../../../lib/bytes/image-bytes.js';
import { CapturedBody } from '../../../lib/capture/captured-body.js';
import { DiskTempFile } from '../../../lib/temp-files/temp-file.js';
import { temporaryName } from '../../../lib/temp-files/stale-files.js';
import { setImmediate as turn } from 'node:timers/promises';
import { useTempDir } from '../../support/temp-dir.js';
import { codeOf, refusalOf } from '../../support/refusal.js';

const inFolder = useTempDir();
const MEGABYTE = 1024 * 1024;
const NO_LIMIT = Number.MAX_SAFE_INTEGER;

let file: DiskTempFile;
let body: CapturedBody;

beforeEach(async () => {
  await mkdir(inFolder('saved'));
  file = newFile();
  body = newBody();
});
afterEach(async () => {
  await body.endReading();
  await file.discard();
});

const newBody = (): CapturedBody =>
  new CapturedBody({
    sendImplicitHead: () => undefined,
    onAbort: () => undefined,
    emitFromBody: () => false,
  });

const newFile = (): DiskTempFile => new DiskTempFile(inFolder('saved', temporaryName(60_000)), 0o666);

const rendered = (announced: Partial<ResponseHead> = {}, stream = body): RenderedImage => ({
  body: stream,
  status: 200,
  contentLength: undefined,
  contentEncoding: '',
  ...announced,
});

const options = (changes: Partial<CollectOptions> = {}): CollectOptions => ({
  maxBytes: NO_LIMIT,
  createTempFile: () => file,
  signal: new AbortController().signal,
  ...changes,
});

const collected = (announced: Partial<ResponseHead> = {}, maxBytes = NO_LIMIT): Promise<ImageBytes> =>
  collectBody(rendered(announced), options({ maxBytes }));

const codeFor = (announced: Partial<ResponseHead> = {}, maxBytes = NO_LIMIT): Promise<string> =>
  codeOf(() => collected(announced, maxBytes));

/** The bytes, from memory or from the file. */
const bytesOf = async (bytes: ImageBytes): Promise<Buffer> =>
  bytes.path === undefined ? bytes.buffer() : readFile(bytes.path);

/** Writes an image in pieces and waits for `drain` when the stream is full. */
async function send(image: Uint8Array, pieceLength: number): Promise<void> {
  for (let at = 0; at < image.length; at += pieceLength) {
    const more = body.write(image.subarray(at, at + pieceLength));
    if (!more) await new Promise((resolve) => body.once('drain', resolve));
  }
  body.end();
}

/** A low quality, because the default takes seconds for these images. */
const brotli = (bytes: Buffer): Buffer =>
  brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } });

/** The first bytes of a JPEG. */
const START = Buffer.of(0xff, 0xd8, 0xff);

/** The start of a JPEG and bytes without a pattern, which hardly compress; the same in every run. */
const noise = (length: number): Buffer =>
  Buffer.concat([
    START,
    createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16)).update(Buffer.alloc(length)),
  ]).subarray(0, length);

describe('an image sent in one piece', () => {
  it.each([1000, 3 * MEGABYTE])('stays in memory, whatever its length: %i bytes', async (length) => {
    const image = noise(length);
    body.end(image);
    expect(image.equals(await bytesOf(await collected()))).toBe(true);
    expect(await readdir(inFolder('saved'))).toEqual([]);
  });

  it('stays out of the renderer’s reach until release', async () => {
    let ended = false;
    body.end(noise(10), () => {
      ended = true;
    });
    await collected();
    expect(ended).toBe(false);
    await body.endReading();
    expect(ended).toBe(true);
  });
});

describe('an image sent in pieces', () => {
  test.each([
    ['stays in memory if it is small', 10_000, 999, false],
    ['stays in memory if it is as large as the limit', MEGABYTE, 100_000, false],
    ['goes into the file if it is a byte above the limit', MEGABYTE + 1, 100_000, true],
    ['goes into the file if it is large', 5 * MEGABYTE, 70_001, true],
    ['goes into the file if it is large, in big pieces', 5 * MEGABYTE, 2 * MEGABYTE, true],
  ])('%s', async (_what, length, pieceLength, inFile) => {
    const image = noise(length);
    const [bytes] = await Promise.all([collected(), send(image, pieceLength)]);
    expect(bytes).toHaveLength(length);
    expect((await bytesOf(bytes)).equals(image)).toBe(true);
    expect([bytes.path !== undefined, await readdir(inFolder('saved'))]).toMatchObject([
      inFile,
      { length: inFile ? 1 : 0 },
    ]);
  });

  it('may be empty', async () => {
    body.end();
    expect(await collected()).toHaveLength(0);
  });

  it.each([
    ['', 'ERR_STREAM_PREMATURE_CLOSE'],
    ['gzip', 'broken-encoding'],
  ])('is refused if the renderer aborts: encoding %j', async (contentEncoding, code) => {
    const collecting = collected({ contentEncoding });
    body.write(contentEncoding === '' ? noise(1000) : gzipSync(noise(1000)));
    body.destroy();
    await expect(collecting).rejects.toMatchObject({ code });
  });
});

describe('an image in 200,000 chunks', () => {
  /** Written without waiting for `drain`, so that all chunks come in one batch. */
  const writeAll = (image: Buffer, target: CapturedBody): void => {
    const size = image.length / 200_000;
    for (let at = 0; at < image.length; at += size) target.write(image.subarray(at, at + size));
    target.end();
  };

  it.each([1, 20])('is collected whole if each has %i bytes', async (size) => {
    const image = noise(200_000 * size);
    writeAll(image, body);
    const bytes = await collected();
    expect(bytes.path === undefined).toBe(size === 1);
    expect(image.equals(await bytesOf(bytes))).toBe(true);
  });

  it('reaches the temporary file in calls that every system takes', async () => {
    let longest = 0;
    const write = file.write.bind(file);
    jest.spyOn(file, 'write').mockImplementation((chunks) => {
      longest = Math.max(longest, chunks.length);
      return write(chunks);
    });
    writeAll(noise(200_000 * 20), body);
    await collected();
    expect(longest).toBeGreaterThan(0);
    expect(longest).toBeLessThanOrEqual(1024);
  });
});

describe('Content-Length', () => {
  const ways: [string, (image: Buffer) => unknown][] = [
    ['at once', (image) => body.end(image)],
    ['in pieces', (image) => send(image, 300)],
  ];

  describe.each(ways)('for an image sent %s', (_how, start) => {
    it('is accepted if it is right', async () => {
      const [bytes] = await Promise.all([collected({ contentLength: '1000' }), start(noise(1000))]);
      expect((await bytesOf(bytes)).equals(noise(1000))).toBe(true);
    });

    it.each(['999', '1001', '0', '', 'many', '1000, 1000', '-1'])(
      'is refused if it is %j for 1000 bytes',
      async (length) => {
        const [code] = await Promise.all([codeFor({ contentLength: length }), start(noise(1000))]);
        expect(code).toBe('length-mismatch');
      },
    );
  });

  it.each([
    [0, 'accepted'],
    [-1, 'length-mismatch'],
    [1, 'length-mismatch'],
  ])('counts the encoded bytes: one that is off by %i is %s', async (error, expected) => {
    const image = noise(5000);
    const encoded = gzipSync(image);
    body.end(encoded);
    const contentLength = String(encoded.length + error);
    const collecting = collected({ contentLength, contentEncoding: 'gzip' });
    if (expected === 'accepted') expect((await bytesOf(await collecting)).equals(image)).toBe(true);
    else expect(await codeOf(() => collecting)).toBe(expected);
  });
});

describe('maxBytes', () => {
  it.each([1000, 2 * MEGABYTE])('allows exactly %i bytes', async (length) => {
    const image = noise(length);
    const [bytes] = await Promise.all([collected({}, length), send(image, 100_000)]);
    expect((await bytesOf(bytes)).equals(image)).toBe(true);
  });

  it.each([1000, 2 * MEGABYTE])('refuses one byte more than %i, at once or in pieces', async (length) => {
    const started = refusalOf(() => collected({}, length));
    void send(noise(length + 1), 100_000);
    const { code, message } = await started;
    expect(code).toBe('too-many-bytes');
    expect(message).toContain(` ${length} bytes`);
    const other = newBody();
    other.end(noise(length + 1));
    const limited = options({ maxBytes: length });
    expect(await codeOf(() => collectBody(rendered({}, other), limited))).toBe('too-many-bytes');
    await other.endReading();
  });

  it('stops reading an endless image', async () => {
    let sent = 0;
    const writing = (async () => {
      body.write(START);
      while (!body.destroyed) {
        const more = body.write(Buffer.alloc(100_000));
        sent += 100_000;
        if (!more) await new Promise((resolve) => body.once('drain', resolve).once('close', resolve));
      }
    })();
    expect(await codeFor({}, MEGABYTE)).toBe('too-many-bytes');
    await body.endReading();
    await writing;
    // maxBytes and the high-water mark.
    expect(sent).toBeLessThan(2 * MEGABYTE);
  });

  it('counts the encoded bytes of an image', async () => {
    const image = noise(100_000);
    body.end(gzipSync(image, { level: 0 }));
    expect(await codeFor({ contentEncoding: 'gzip' }, 100_000)).toBe('too-many-bytes');
  });

  it.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['br', brotli],
  ] as const)('stops a bomb of %s early and keeps nothing of it', async (encoding, encode) => {
    const bomb = encode(Buffer.concat([START, Buffer.alloc(20 * MEGABYTE)]));
    expect(bomb.length).toBeLessThan(MEGABYTE);
    body.end(bomb);
    expect(await codeFor({ contentEncoding: encoding }, 3 * MEGABYTE)).toBe('too-many-bytes');
    // Only the bytes that were taken before the limit was reached.
    expect(file.length).toBeLessThanOrEqual(3 * MEGABYTE);
  });
});

describe('Content-Encoding', () => {
  const image = noise(1.5 * MEGABYTE);
  const small = noise(20_000);

  it.each([
    ['gzip', (bytes: Buffer) => gzipSync(bytes)],
    ['x-gzip', (bytes: Buffer) => gzipSync(bytes)],
    ['GZIP', (bytes: Buffer) => gzipSync(bytes)],
    [' gzip ', (bytes: Buffer) => gzipSync(bytes)],
    ['gzip,', (bytes: Buffer) => gzipSync(bytes)],
    ['deflate', (bytes: Buffer) => deflateSync(bytes)],
    ['deflate', (bytes: Buffer) => deflateRawSync(bytes)],
    ['br, deflate', (bytes: Buffer) => deflateRawSync(brotli(bytes))],
    ['br', (bytes: Buffer) => brotli(bytes)],
    ['identity', (bytes: Buffer) => bytes],
    ['identity, gzip', (bytes: Buffer) => gzipSync(bytes)],
    ['gzip, br', (bytes: Buffer) => brotli(gzipSync(bytes))],
    ['br,gzip', (bytes: Buffer) => gzipSync(brotli(bytes))],
    ['gzip, gzip', (bytes: Buffer) => gzipSync(gzipSync(bytes))],
    ['deflate, identity, gzip, br', (bytes: Buffer) => brotli(gzipSync(deflateSync(bytes)))],
    ['', (bytes: Buffer) => bytes],
  ])('decodes %j, the last encoding first', async (contentEncoding, encode) => {
    for (const original of [small, image]) {
      const stream = newBody();
      const own = newFile();
      stream.write(encode(original).subarray(0, 10));
      stream.end(encode(original).subarray(10));
      const bytes = await collectBody(
        rendered({ contentEncoding }, stream),
        options({ createTempFile: () => own }),
      );
      expect((await bytesOf(bytes)).equals(original)).toBe(true);
      expect(bytes.path === undefined).toBe(original === small);
      await stream.endReading();
      await own.discard();
    }
  });

  it.each([
    'zstd',
    'compress',
    'gzip, zstd',
    'zstd, gzip',
    'gzip;q=1',
    'gzip br',
    'gzip, gzip, gzip, gzip, gzip',
    'br,'.repeat(5000),
    'constructor',
    '__proto__',
    'aws-chunked',
    'UTF-8',
  ])('takes a body with the unknown %j as it is if it begins like an image', async (contentEncoding) => {
    for (const [sent, expected] of [
      [small, 'accepted'],
      [gzipSync(small), 'unknown-encoding'],
      [Buffer.of(0xff), 'unknown-encoding'],
    ] as const) {
      const stream = newBody();
      stream.write(sent.subarray(0, 1));
      stream.end(sent.subarray(1));
      const collecting = async (): Promise<void> => {
        const bytes = await collectBody(rendered({ contentEncoding }, stream), options());
        expect((await bytesOf(bytes)).equals(small)).toBe(true);
      };
      expect(await codeOf(collecting).catch(() => 'accepted')).toBe(expected);
      await stream.endReading();
    }
  });

  it.each([
    ['undone already', small, 'accepted'],
    ['still encoded', gzipSync(small), 'accepted'],
    ['still encoded, of another length', gzipSync(small, { level: 0 }), 'length-mismatch'],
  ])('may have been undone on the way, as by fetch: a body that is %s', async (_how, sent, expected) => {
    body.end(sent);
    const contentLength = String(gzipSync(small).length);
    const announced = { contentEncoding: 'gzip', contentLength, mayBeDecoded: true };
    const collecting = collected(announced);
    if (expected === 'accepted') expect((await bytesOf(await collecting)).equals(small)).toBe(true);
    else expect(await codeOf(() => collecting)).toBe(expected);
  });

  it.each([
    ['gzip', gzipSync(small)],
    ['deflate', deflateSync(small)],
    ['br', brotli(small)],
  ])('refuses %s that is cut or damaged', async (contentEncoding, encoded) => {
    const damaged = Buffer.from(encoded);
    // Brotli has no checksum, so damage in its middle is left to the inspection of the pixels.
    damaged.fill(0xff, contentEncoding === 'br' ? 0 : 100, 200);
    const cuts = [1, 10, encoded.length >> 1, encoded.length - 1].map((end) => encoded.subarray(0, end));
    for (const wrong of [...cuts, damaged, small]) {
      const stream = newBody();
      stream.end(wrong);
      expect(await codeOf(() => collectBody(rendered({ contentEncoding }, stream), options()))).toBe(
        'broken-encoding',
      );
      await stream.endReading();
    }
  });

  const wrongChecksum = gzipSync(small);
  wrongChecksum.writeUInt32LE(0, wrongChecksum.length - 8);

  it.each([
    ['encodings in the wrong order', 'gzip, br', gzipSync(brotli(small))],
    ['deflate without its zlib header that is cut', 'deflate', deflateRawSync(small).subarray(0, -1)],
    ['gzip with a wrong checksum', 'gzip', wrongChecksum],
  ])('refuses %s', async (_what, contentEncoding, encoded) => {
    body.end(encoded);
    expect(await codeFor({ contentEncoding })).toBe('broken-encoding');
  });

  it('stops decoding an endless body when the signal aborts', async () => {
    // Inflates to empty blocks without end.
    const empty = Buffer.alloc(20 * MEGABYTE, Buffer.from([0, 0, 0, 0xff, 0xff]));
    body.end(deflateSync(Buffer.concat([Buffer.from([0x78, 0x9c]), empty]), { level: 1 }));
    let steps = 0;
    const inflate = Object.getPrototypeOf(createInflate()) as Transform;
    // eslint-disable-next-line @typescript-eslint/unbound-method -- applied to the stream that it is called on
    const original = inflate._transform;
    const spy = jest.spyOn(inflate, '_transform').mockImplementation(function (this: Transform, ...args) {
      steps++;
      Reflect.apply(original, this, args);
    });
    const stop = new AbortController();
    const collecting = collectBody(
      rendered({ contentEncoding: 'deflate, deflate' }),
      options({ signal: stop.signal }),
    );
    while (steps < 10) await turn();
    stop.abort(new SaveError('timeout'));
    expect(await codeOf(() => collecting)).toBe('timeout');
    await turn();
    const atEnd = steps;
    for (let i = 0; i < 50; i++) await new Promise((resolve) => setTimeout(resolve, 1));
    expect(steps).toBe(atEnd);
    spy.mockRestore();
  });

  it('fails with the write error if the file cannot be written', async () => {
    await file.discard();
    body.end(gzipSync(image));
    expect(await codeFor({ contentEncoding: 'gzip' })).toBe('write-failed');
  });
});

const page = Buffer.from(`<!doctype html>${'x'.repeat(100)}`);

it.each([
  ['', page],
  ['gzip', gzipSync(page)],
  ['', Buffer.from('--frame\r\nContent-Type: image/jpeg\r\n\r\n')],
  ['', Buffer.from('RIFF1234WAVE')],
])(
  'a body that begins like no image is refused by its first bytes, in chunks of one, before it ends: encoding %j',
  async (contentEncoding, sent) => {
    const collecting = codeFor({ contentEncoding });
    for (const byte of sent) {
      body.write(Buffer.of(byte));
      await turn();
    }
    // Nothing ends the body.
    expect(await collecting).toBe('not-an-image');
  },
);
