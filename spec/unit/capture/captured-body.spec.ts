// The captured body: an ordinary writable stream for the renderer, batches of bytes for the reader.
import { once } from 'node:events';
import { PassThrough, Readable, finished } from 'node:stream';
import { finished as whenFinished, pipeline as runPipeline } from 'node:stream/promises';
import { CapturedBody } from '../../../lib/capture/captured-body.js';
import type { BodyChunks } from '../../../lib/save/exchange.js';

/** More bytes than the high-water mark. */
const TOO_MUCH = Buffer.alloc(300 * 1024, 'x');

let stream: CapturedBody;
/** Calls to the capture and events to the renderer, in order. */
let emitted: string[];

beforeEach(() => {
  // Late events of an earlier test's stream must not get into this test's list.
  const mine: string[] = (emitted = []);
  stream = new CapturedBody({
    sendImplicitHead: () => mine.push('first byte'),
    onAbort: (error) => mine.push(`abort: ${error === null ? 'no error' : error.message}`),
    emitFromBody: () => false,
  });
  // Every 'error' event fails the test, as Node would throw it without a listener.
  stream.on('error', (error) => mine.push(`error: ${error.message}`));
  for (const event of ['drain', 'finish', 'close', 'pipe', 'unpipe']) {
    stream.on(event, () => mine.push(event));
  }
});
afterEach(async () => {
  await stream.endReading();
});

/** The list without the calls before each write. */
const events = (): string[] => emitted.filter((what) => what !== 'first byte');

/** A callback that adds its name and its argument to the list. */
const callback =
  (name: string) =>
  (error?: Error | null): void => {
    emitted.push(error ? `${name}: ${(error as NodeJS.ErrnoException).code ?? error.message}` : name);
  };

/** Resolves after every task that was deferred until now. */
const settle = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(() => setImmediate(resolve));
  });

/** Reads to the end and copies each chunk while its buffer is still valid. */
async function read(from: AsyncIterable<BodyChunks> = stream): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const batch of from) chunks.push(...batch.chunks.map((chunk) => Buffer.from(chunk)));
  return Buffer.concat(chunks);
}

const readText = async (): Promise<string> => (await read()).toString();

/** The outcome of a promise in a word. A pending promise would keep the spec from ending. */
const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'done',
    (error: unknown) => (error as NodeJS.ErrnoException).code ?? String(error),
  );

describe('reading the captured body', () => {
  it('yields what the renderer writes, in order', async () => {
    stream.write('one ');
    stream.write(Buffer.from('two '));
    const reading = readText();
    await settle();
    stream.write('three ');
    stream.end('four');
    expect(await reading).toBe('one two three four');
  });

  it.each([
    ['a string', 'h\u00e9llo', undefined, 'h\u00e9llo'],
    ['Latin 1', 'h\u00e9llo', 'latin1', Buffer.from('h\u00e9llo', 'latin1')],
    ['binary', 'h\u00e9llo', 'binary', Buffer.from('h\u00e9llo', 'latin1')],
    ['hexadecimal', '89504e47', 'hex', Buffer.from([0x89, 0x50, 0x4e, 0x47])],
    ['base 64', 'iVBORw==', 'base64', Buffer.from([0x89, 0x50, 0x4e, 0x47])],
    ['UTF-16', 'h\u00e9', 'utf16le', Buffer.from([0x68, 0, 0xe9, 0])],
    ['ASCII', 'abc', 'ascii', 'abc'],
    ['a Uint8Array', new Uint8Array([1, 2, 3]), undefined, Buffer.from([1, 2, 3])],
    ['a part of a Uint8Array', new Uint8Array([1, 2, 3, 4]).subarray(1, 3), undefined, Buffer.from([2, 3])],
    ['an empty string', '', undefined, ''],
    ['an empty buffer', Buffer.alloc(0), undefined, ''],
  ] as const)('yields the bytes of %s from write and from end', async (_what, chunk, encoding, expected) => {
    const given = encoding === undefined ? ([chunk] as const) : ([chunk, encoding] as const);
    stream.write(...(given as [string]));
    stream.end(...(given as [string]));
    expect(await read()).toEqual(Buffer.concat([Buffer.from(expected), Buffer.from(expected)]));
  });

  it.each(['before', 'after'])(
    'yields one last batch of bytes passed to end, to a reader that comes %s',
    async (when) => {
      const image = Buffer.from('image');
      const reader = stream[Symbol.asyncIterator]();
      const early = when === 'before' ? reader.next() : undefined;
      await settle();
      stream.end(image);
      expect(await (early ?? reader.next())).toEqual({ done: false, value: { chunks: [image], last: true } });
      expect((await reader.next()).done).toBe(true);
    },
  );

  it.each([Buffer.from('abcd'), new Uint8Array(Buffer.from('xabcdx').buffer).subarray(0, 4)])(
    'yields what %p contained when it was written, although the renderer changes it afterwards',
    async (image) => {
      const expected = Buffer.from(image);
      stream.write(image);
      image.fill(0);
      image.set(expected);
      stream.end(image);
      image.fill(0);
      expect(await read()).toEqual(Buffer.concat([expected, expected]));
    },
  );

  it.each(['before', 'after'])('yields the bytes of a renderer that corks %s its end', async (when) => {
    const cork = (): void => {
      stream.cork();
      stream.cork();
    };
    if (when === 'before') cork();
    stream.write('a');
    stream.write('b');
    stream.end('c');
    if (when === 'after') cork();
    expect(await readText()).toBe('abc');
  });

  it.each([
    ['the renderer aborts', () => stream.destroy()],
    ['the stream is released before the renderer ends', () => stream.endReading()],
  ])('reports no end when %s', async (_what, stop) => {
    const reading = readText();
    stream.write('half');
    await settle();
    void stop();
    expect(await codeOf(reading)).toBe('ERR_STREAM_PREMATURE_CLOSE');
    expect(await codeOf(readText())).toBe('ERR_STREAM_PREMATURE_CLOSE');
  });
});

describe('the headers', () => {
  it('are fixed before each byte and before the end', () => {
    stream.write('a');
    expect(emitted).toEqual(['first byte']);
    stream.end();
    expect(emitted).toEqual(['first byte', 'first byte']);
  });

  it.each([['write'], ['end']] as const)(
    'that cannot be fixed make %s throw and take no bytes',
    async (call) => {
      let broken = true;
      const one = new CapturedBody({
        sendImplicitHead: () => {
          if (broken) throw new Error('bad header');
        },
        onAbort: () => undefined,
        emitFromBody: () => false,
      });
      expect(() => one[call]('bad')).toThrow('bad header');
      expect(one.writableEnded).toBe(false);
      broken = false;
      one.end('good');
      expect((await read(one)).toString()).toBe('good');
      await one.endReading();
    },
  );
});

describe('writing', () => {
  it('returns true below the high-water mark, and emits drain after reaching it', async () => {
    expect(stream.write('little')).toBe(true);
    expect(stream.write(TOO_MUCH)).toBe(false);
    expect(stream.writableNeedDrain).toBe(true);
    await settle();
    expect(events()).toEqual([]);
    const reading = read();
    await once(stream, 'drain');
    expect(stream.writableNeedDrain).toBe(false);
    stream.end();
    expect((await reading).length).toBe('little'.length + TOO_MUCH.length);
  });

  it('applies back-pressure while the reader pauses', async () => {
    const reader = stream[Symbol.asyncIterator]();
    stream.write(TOO_MUCH, callback('first'));
    await reader.next();
    stream.write(TOO_MUCH, callback('second'));
    await settle();
    expect(events()).toEqual([]);
    await reader.next();
    await settle();
    expect(events()).toEqual(['first']);
    await reader.return(undefined);
    await settle();
    expect(events()).toEqual(['first']);
  });

  it('calls each callback once, in order, when the reader has taken its bytes', async () => {
    stream.write('a', callback('a'));
    stream.write('b', 'utf8', callback('b'));
    stream.write('c', undefined, callback('c'));
    stream.end('d', callback('d'));
    expect(await readText()).toBe('abcd');
    await stream.endReading();
    expect(events()).toEqual(['a', 'b', 'c', 'd', 'finish', 'close']);
  });

  it('after the end passes an error to its callback alone', async () => {
    stream.end('whole');
    expect(stream.write('more', callback('more'))).toBe(false);
    expect(stream.write('more', 'utf8', callback('again'))).toBe(false);
    expect(stream.write('more')).toBe(false);
    expect(events()).toEqual([]);
    expect(await readText()).toBe('whole');
    await stream.endReading();
    expect(stream.write('more', callback('late'))).toBe(false);
    await settle();
    expect(events()).toEqual([
      'more: ERR_STREAM_WRITE_AFTER_END',
      'again: ERR_STREAM_WRITE_AFTER_END',
      'finish',
      'close',
      expect.stringMatching(/^late: ERR_STREAM/),
    ]);
  });

  it.each([
    ['destroy', ['abort: no error', 'close'], () => Promise.resolve(stream.destroy())],
    ['release', ['close'], () => stream.endReading()],
  ])('after %s passes an error to its callback alone', async (_what, expected, stop) => {
    await stop();
    expect(stream.write('more', callback('more'))).toBe(false);
    expect(stream.write('more')).toBe(false);
    stream.end('end', callback('end'));
    await settle();
    expect(events()).toEqual([...expected, 'more: ERR_STREAM_DESTROYED', 'end: ERR_STREAM_DESTROYED']);
  });

  // As in Node: an error handler can still respond.
  it.each([[5], [null], [{}], [true], [new Date(0)]])(
    'or ending with %p throws, takes no bytes and leaves the headers open',
    async (chunk) => {
      expect(() => stream.write(chunk)).toThrow(/chunk|null/);
      expect(emitted).toEqual([]);
      if (chunk !== null) expect(() => stream.end(chunk)).toThrow(/chunk|null/);
      expect(emitted).toEqual([]);
      expect(stream.writableEnded).toBe(false);
      stream.end('the response of the error handler');
      expect(await readText()).toBe('the response of the error handler');
    },
  );

  it('an invalid value leaves the stream fit for release and for an abort', async () => {
    expect(() => stream.end(5)).toThrow(/chunk|null/);
    stream.destroy();
    expect(stream.destroyed).toBe(true);
    await stream.endReading();
    expect(stream.closed).toBe(true);
  });
});

describe('ending', () => {
  it.each([
    // The reader may still use the buffers.
    [
      'write(chunk, callback), end()',
      () => {
        stream.cork();
        stream.write('x', callback('ended'));
        stream.end();
      },
    ],
    ['end(callback)', () => stream.end(callback('ended'))],
    ['end(chunk, callback)', () => stream.end('x', callback('ended'))],
    ['end(chunk, encoding, callback)', () => stream.end('x', 'utf8', callback('ended'))],
    ['end(undefined, callback)', () => stream.end(undefined, callback('ended'))],
    ['end(null, null, callback)', () => stream.end(null, undefined, callback('ended'))],
  ])('with %s calls back once the stream is released', async (_how, end) => {
    end();
    await read();
    await settle();
    expect(events()).toEqual([]);
    await stream.endReading();
    expect(events()).toEqual(['ended', 'finish', 'close']);
    expect([stream.writableFinished, stream.closed, stream.destroyed]).toEqual([true, true, true]);
  });

  it('twice ends once and calls both callbacks', async () => {
    stream.end('whole', callback('first'));
    expect(stream.end('more', callback('second'))).toBe(stream);
    expect(stream.end(callback('third'))).toBe(stream);
    expect(stream.end('more', 'utf8', callback('fourth'))).toBe(stream);
    expect(stream.end()).toBe(stream);
    expect(await readText()).toBe('whole');
    await stream.endReading();
    expect(events()).toEqual(['first', 'second', 'third', 'fourth', 'finish', 'close']);
    stream.end(callback('late'));
    await settle();
    expect(events().at(-1)).toBe('late: ERR_STREAM_ALREADY_FINISHED');
  });

  it.each([['whole'], []])('with %p is undone by a later error', async (...chunk) => {
    const reading = codeOf(readText());
    await settle();
    stream.end(...chunk);
    stream.destroy(new Error('bad after all'));
    expect(await reading).toBe('ERR_STREAM_PREMATURE_CLOSE');
    await settle();
    expect(events()).toEqual(['abort: bad after all', 'close']);
  });

  it('is not undone by a later destroy without an error', async () => {
    stream.end('whole', callback('ended'));
    expect(stream.destroy()).toBe(stream);
    stream.destroy(null);
    expect(await readText()).toBe('whole');
    await stream.endReading();
    expect(events()).toEqual(['ended', 'finish', 'close']);
  });
});

describe('aborting', () => {
  it.each([
    ['without an error', undefined, 'abort: no error'],
    ['with an error', new Error('broken'), 'abort: broken'],
  ])('%s aborts the save, and closes without an error event', async (_how, error, expected) => {
    stream.write('half', callback('half'));
    stream.write('more', callback('more'));
    expect(stream.destroy(error)).toBe(stream);
    await settle();
    expect(events()[0]).toBe(expected);
    // Each callback is called once, with an error.
    expect(events().sort()).toEqual([
      expected,
      'close',
      expect.stringMatching(/^half: /),
      expect.stringMatching(/^more: /),
    ]);
    expect([stream.destroyed, stream.closed]).toEqual([true, true]);
    if (error !== undefined) expect(stream.errored).toBe(error);
  });

  it('twice aborts once', async () => {
    stream.destroy(new Error('first'));
    stream.destroy(new Error('second'));
    await settle();
    expect(events()).toEqual(['abort: first', 'close']);
  });

  it('after the stream has finished aborts nothing', async () => {
    stream.end('whole');
    await read();
    await stream.endReading();
    stream.destroy(new Error('late'));
    await settle();
    expect(events()).toEqual(['finish', 'close']);
  });
});

describe('release', () => {
  it('closes a response that has not ended without finishing, and calls every callback', async () => {
    stream.write('a', callback('a'));
    stream.write(TOO_MUCH, callback('b'));
    await stream.endReading();
    await settle();
    expect(events().sort()).toEqual([
      expect.stringMatching(/^a: ERR/),
      expect.stringMatching(/^b: ERR/),
      'close',
    ]);
  });

  it('changes nothing when repeated or after close', async () => {
    stream.end('whole');
    await read();
    await Promise.all([stream.endReading(), stream.endReading()]);
    await stream.endReading();
    expect(events()).toEqual(['finish', 'close']);
  });

  it('waits for a destroy in progress', async () => {
    stream.destroy();
    await stream.endReading();
    expect(events()).toEqual(['abort: no error', 'close']);
  });
});

describe('piping', () => {
  const image = Buffer.alloc(2_000_000, 'image');
  function* slices(): Generator<Buffer> {
    for (let at = 0; at < image.length; at += 50_000) yield image.subarray(at, at + 50_000);
  }
  const chunked = (): Readable => Readable.from(slices(), { objectMode: false });

  it.each([
    ['a stream', () => runPipeline(chunked(), stream)],
    ['a stream through another', () => runPipeline(chunked(), new PassThrough(), stream)],
    ['a generator', () => runPipeline(slices, stream)],
  ])('by pipeline from %s delivers every byte and settles', async (_what, pipe) => {
    const running = pipe();
    expect((await read()).equals(image)).toBe(true);
    await stream.endReading();
    await running;
  });

  it('settles a pipeline whose source fails and aborts the save', async () => {
    const broken = Readable.from(
      (async function* () {
        await Promise.resolve();
        yield Buffer.from('half');
        throw new Error('upstream lost');
      })(),
      { objectMode: false },
    );
    const running = codeOf(runPipeline(broken, stream));
    expect(await codeOf(read())).toBe('ERR_STREAM_PREMATURE_CLOSE');
    expect(await running).toBe('Error: upstream lost');
    expect(events().filter((what) => /^(abort|error)/.test(what))).toEqual(['abort: upstream lost']);
  });

  it('settles a pipeline that is aborted by its own signal', async () => {
    const controller = new AbortController();
    const running = codeOf(runPipeline(chunked(), stream, { signal: controller.signal }));
    await stream[Symbol.asyncIterator]().next();
    controller.abort();
    expect(await running).toBe('ABORT_ERR');
    expect(stream.destroyed).toBe(true);
    expect(events().filter((what) => what.startsWith('abort'))).toHaveLength(1);
  });

  it.each(['a stream', 'a generator'])(
    'settles a pipeline from %s released in the middle, and closes its source',
    async (kind) => {
      let ended = false;
      async function* endless(): AsyncGenerator<Buffer> {
        try {
          for (;;) yield await Promise.resolve(TOO_MUCH);
        } finally {
          ended = true;
        }
      }
      const source = Readable.from(endless(), { objectMode: false });
      const running = codeOf(
        kind === 'a stream' ? runPipeline(source, stream) : runPipeline(endless, stream),
      );
      await stream[Symbol.asyncIterator]().next();
      await stream.endReading();
      expect(await running).toBe('ERR_STREAM_PREMATURE_CLOSE');
      expect([ended, source.destroyed]).toEqual([true, kind === 'a stream']);
    },
  );

  it('calls back a renderer that waits with finished', async () => {
    const early = codeOf(whenFinished(stream));
    stream.end('whole');
    await read();
    await stream.endReading();
    expect(await early).toBe('done');
    expect(await codeOf(whenFinished(stream))).toBe('done');
  });

  it('calls back finished with the error of an aborted response', async () => {
    const early = new Promise<unknown>((resolve) => {
      finished(stream, resolve);
    });
    await stream.endReading();
    expect(await early).toMatchObject({ code: 'ERR_STREAM_PREMATURE_CLOSE' });
  });
});
