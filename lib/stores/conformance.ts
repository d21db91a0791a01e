// What every store must do, as checks that any test runner can run: express-image-save/store-tests.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { SaveError, type SaveErrorCode } from '../errors.js';
import type { ImageBytes } from '../image/types.js';
import { createPrivateTempFile } from '../temp-files/temp-file.js';
import type { ImageStore, SaveTarget, PublishResult } from './types.js';
import { StaleFileSweeper } from '../temp-files/stale-files.js';

/** Makes stores for the checks: each begins with one of its own. */
export interface StoreTestOptions {
  /** Makes a store with nothing in it. */
  readonly open: () => Promise<StoreFixture>;
  /** Bytes of what is a large image to the store: one that it does not treat as the others. Default 3 MiB. */
  readonly largeImageBytes?: number;
}

/** A store, and how to see what is in it. */
export interface StoreFixture {
  readonly store: ImageStore;
  /** The bytes under a name, or undefined where there is nothing. Not by the store's own code, if that can be. */
  read(name: string): Promise<Uint8Array | undefined>;
  /** The names of everything that is there, in any order: images, and what was left behind on the way. */
  list(): Promise<string[]>;
  /** Makes what a name needs before it can be saved to, such as its folder. */
  prepare?(name: string): Promise<void>;
  /** Takes away the store and what is in it. */
  close(): Promise<void>;
}

/** One thing that a store must do. */
export interface StoreTest {
  readonly name: string;
  /** Rejects where the store does not do it. */
  readonly run: () => Promise<void>;
}

/** How one save of a check differs from the ordinary. */
interface SaveOptions {
  readonly overwrite?: boolean;
  readonly inFile?: boolean;
  readonly signal?: AbortSignal;
  /** Called with the place that was found, before the image is published. */
  readonly onPrepared?: (target: SaveTarget) => Promise<void>;
  readonly commit?: () => void;
}

const NAME = 'shoe.png';

/**
 * The checks of the contract of {@link ImageStore}, one for each promise.
 *
 * @example
 * for (const { name, run } of storeTests({ open: openMyStore })) test(name, run);
 */
export function storeTests(options: StoreTestOptions): StoreTest[] {
  const largeImageBytes = options.largeImageBytes ?? 3 * 1024 ** 2;
  const test = (name: string, body: (store: StoreUnderTest) => Promise<void>): StoreTest => ({
    name,
    async run() {
      const fixture = await options.open();
      try {
        await body(new StoreUnderTest(fixture));
      } finally {
        await fixture.close();
      }
    },
  });

  return [
    test('publishes an image that is in memory', async (store) => {
      const image = randomBytes(100_000);
      await store.save(NAME, image);
      await store.expectContents({ [NAME]: image });
    }),
    test('publishes an image that is in a file', async (store) => {
      const image = randomBytes(100_000);
      await store.save(NAME, image, { inFile: true });
      await store.expectContents({ [NAME]: image });
    }),
    test('publishes a large image, from memory and from a file', async (store) => {
      const [one, other] = [randomBytes(largeImageBytes), randomBytes(largeImageBytes + 1)];
      await store.save('memory.png', one);
      await store.save('file.png', other, { inFile: true });
      await store.expectContents({ 'memory.png': one, 'file.png': other });
    }),
    test('replaces an image', async (store) => {
      await store.save(NAME, randomBytes(5000));
      const image = randomBytes(3000);
      await store.save(NAME, image);
      await store.expectContents({ [NAME]: image });
    }),
    test('keeps an image that must not be replaced', async (store) => {
      const image = randomBytes(3000);
      await store.save(NAME, image, { overwrite: false });
      await expectRefusal('file-exists', store.save(NAME, randomBytes(3000), { overwrite: false }));
      await store.expectContents({ [NAME]: image });
    }),
    test('keeps an image that comes while another is made', async (store) => {
      const image = randomBytes(3000);
      const onPrepared = async (): Promise<void> => {
        await store.save(NAME, image);
      };
      await expectRefusal(
        'file-exists',
        store.save(NAME, randomBytes(3000), { overwrite: false, onPrepared }),
      );
      await store.expectContents({ [NAME]: image });
    }),
    test('keeps a large image that comes while another is made', async (store) => {
      const image = randomBytes(3000);
      const onPrepared = async (): Promise<void> => {
        await store.save(NAME, image);
      };
      const late = store.save(NAME, randomBytes(largeImageBytes), {
        overwrite: false,
        inFile: true,
        onPrepared,
      });
      await expectRefusal('file-exists', late);
      await store.expectContents({ [NAME]: image });
    }),
    test('lets exactly one of many win who must not replace each other', async (store) => {
      const images = Array.from({ length: 16 }, () => randomBytes(20_000));
      // All have found the name free before the first of them publishes.
      const all = new Barrier(images.length);
      const onPrepared = (): Promise<void> => all.arrive();
      const outcomes = await Promise.allSettled(
        images.map((image) => store.save(NAME, image, { overwrite: false, onPrepared })),
      );
      const winners = images.filter((_, index) => outcomes[index]?.status === 'fulfilled');
      assert.equal(winners.length, 1, `${winners.length} of ${images.length} saves were acknowledged`);
      for (const outcome of outcomes)
        if (outcome.status === 'rejected') assertRefusal('file-exists', outcome.reason);
      await store.expectContents({ [NAME]: winners[0] ?? assert.fail() });
    }),
    test('leaves one whole image when many replace each other', async (store) => {
      const images = Array.from({ length: 16 }, () => randomBytes(20_000));
      await Promise.all(images.map((image) => store.save(NAME, image)));
      const bytes = await store.read(NAME);
      assert(
        images.some((image) => image.equals(bytes)),
        'What is under the name is none of the images',
      );
      assert.deepEqual(await store.list(), [NAME]);
    }),
    test('saves many images at once', async (store) => {
      const images = Object.fromEntries(
        Array.from({ length: 40 }, (_, index) => [`${index}.png`, randomBytes(10_000 + index)]),
      );
      await Promise.all(Object.entries(images).map(([name, image]) => store.save(name, image)));
      await store.expectContents(images);
    }),
    test('keeps legal names apart, letter for letter', async (store) => {
      const names = [
        'a b.png',
        'a+b.png',
        'a%20b.png',
        'größe.png',
        '靴.png',
        "it's (1)&x=#~!.png",
        'sub/a b.png',
      ];
      const images = Object.fromEntries(names.map((name, index) => [name, randomBytes(1000 + index)]));
      for (const [name, image] of Object.entries(images)) {
        await store.prepare(name);
        await store.save(name, image);
      }
      await store.expectContents(images);
    }),
    ...[3000, largeImageBytes].flatMap((length) => {
      const kind = length === largeImageBytes ? 'large' : 'small';
      const inFile = length === largeImageBytes;
      return [
        test(`asks once more before it publishes a ${kind} image`, async (store) => {
          let looks = 0;
          const commit = (): void => {
            looks += 1;
          };
          await store.save(NAME, randomBytes(length), { inFile, commit });
          assert(looks > 0, 'The last look was not called');
        }),
        test(`changes nothing when the last look at a ${kind} image forbids it`, async (store) => {
          const image = randomBytes(2000);
          await store.save(NAME, image);
          const forbid = (): void => {
            throw new SaveError('timeout', 'Too late.');
          };
          await expectRefusal('timeout', store.save(NAME, randomBytes(length), { inFile, commit: forbid }));
          await expectRefusal(
            'timeout',
            store.save('new.png', randomBytes(length), { inFile, commit: forbid }),
          );
          await store.expectContents({ [NAME]: image });
        }),
        test(`does not let itself be stopped after the last look at a ${kind} image`, async (store) => {
          const stop = new AbortController();
          const commit = (): void => {
            setImmediate(() => {
              stop.abort(new SaveError('timeout', 'Too late.'));
            });
          };
          const image = randomBytes(length);
          await store.save(NAME, image, { inFile, signal: stop.signal, commit });
          await store.expectContents({ [NAME]: image });
        }),
        test(`changes nothing when a ${kind} image is no longer wanted`, async (store) => {
          const image = randomBytes(2000);
          await store.save(NAME, image);
          const stop = new AbortController();
          const onPrepared = (): Promise<void> => {
            setImmediate(() => {
              stop.abort(new SaveError('client-disconnected', 'Nobody waits.'));
            });
            return Promise.resolve();
          };
          // Whether the abort or the last look comes first is the store's affair.
          const commit = (): void => {
            stop.abort(new SaveError('client-disconnected', 'Nobody waits.'));
            stop.signal.throwIfAborted();
          };
          const save = store.save(NAME, randomBytes(length), {
            inFile,
            signal: stop.signal,
            onPrepared,
            commit,
          });
          await expectRefusal('client-disconnected', save);
          await store.expectContents({ [NAME]: image });
        }),
      ];
    }),
    test('leaves nothing at a place that is given up', async (store) => {
      await store.abandon(NAME, randomBytes(largeImageBytes));
      await store.expectContents({});
    }),
    test('tells when an image was saved', async (store) => {
      const first = await store.save(NAME, randomBytes(3000));
      assert(Number.isSafeInteger(first.lastUpdated), `${first.lastUpdated} is not whole milliseconds`);
      const apart = Math.abs(first.lastUpdated - Date.now());
      assert(apart < 24 * 3600_000, `${first.lastUpdated} is ${apart} ms from now`);
      const second = await store.save(NAME, randomBytes(3000));
      assert(second.lastUpdated >= first.lastUpdated, 'A later image has an earlier time');
    }),
  ];
}

/** A store under the hands of a check. */
class StoreUnderTest {
  readonly #opened: StoreFixture;

  constructor(fixture: StoreFixture) {
    this.#opened = fixture;
  }

  /** Saves as the middleware does. */
  async save(name: string, image: Buffer, options: SaveOptions = {}): Promise<PublishResult> {
    const { signal = new AbortController().signal, commit = () => undefined } = options;
    return this.#at(name, options, async (target) => {
      await options.onPrepared?.(target);
      const publish = (bytes: ImageBytes): Promise<PublishResult> =>
        target.publish(
          { bytes, format: 'png', type: 'image/png', width: 30, height: 20, pages: 1, pixels: 600 },
          () => {
            if (options.commit === undefined) signal.throwIfAborted();
            commit();
          },
        );
      return options.inFile === true ? withTempFile(target, image, publish) : publish(image);
    });
  }

  /** Begins a save and does not publish. */
  async abandon(name: string, image: Buffer): Promise<void> {
    await this.#at(name, {}, (target) => withTempFile(target, image, () => Promise.resolve()));
  }

  async #at<Value>(
    name: string,
    options: SaveOptions,
    use: (target: SaveTarget) => Promise<Value>,
  ): Promise<Value> {
    const target = await this.#opened.store.prepare(name, {
      req: new IncomingMessage(new Socket()),
      overwrite: options.overwrite ?? true,
      durable: true,
      signal: options.signal ?? new AbortController().signal,
    });
    try {
      return await use(target);
    } finally {
      await target.tempFile?.discard();
      await target.close?.();
    }
  }

  async read(name: string): Promise<Buffer> {
    const bytes = await this.#opened.read(name);
    assert(bytes !== undefined, `There is nothing under ${name}`);
    return Buffer.from(bytes);
  }

  async list(): Promise<string[]> {
    // A copy: under some test runners a list of the system is of another realm, and equal to none of ours.
    return [...(await this.#opened.list())].sort();
  }

  async prepare(name: string): Promise<void> {
    await this.#opened.prepare?.(name);
  }

  /** Are these images there, whole, and nothing else? */
  async expectContents(images: Readonly<Record<string, Buffer>>): Promise<void> {
    assert.deepEqual(await this.list(), Object.keys(images).sort());
    for (const [name, image] of Object.entries(images)) {
      const bytes = await this.read(name);
      assert(bytes.equals(image), `${name} holds other bytes: ${bytes.length} of ${image.length}`);
    }
  }
}

/** Puts an image into a file as the middleware does: into the place's own, or a private one. */
async function withTempFile<Value>(
  target: SaveTarget,
  image: Buffer,
  use: (bytes: ImageBytes) => Promise<Value>,
): Promise<Value> {
  if (target.tempFile !== undefined) {
    await target.tempFile.write([image.subarray(0, 1000), image.subarray(1000)]);
    return use(target.tempFile);
  }
  const tempFile = createPrivateTempFile(new StaleFileSweeper(Infinity));
  try {
    await tempFile.write([image]);
    return await use(tempFile);
  } finally {
    await tempFile.discard();
  }
}

/** Lets nobody go on before all have come. */
class Barrier {
  #missing: number;
  readonly #all: Promise<void>;
  #open: () => void = () => undefined;

  constructor(count: number) {
    this.#missing = count;
    this.#all = new Promise((resolve) => {
      this.#open = resolve;
    });
  }

  arrive(): Promise<void> {
    this.#missing -= 1;
    if (this.#missing === 0) this.#open();
    return this.#all;
  }
}

async function expectRefusal(code: SaveErrorCode, save: Promise<unknown>): Promise<void> {
  const outcome = await save.then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  assert(outcome !== undefined, `The save was acknowledged, and should be refused by ${code}`);
  assertRefusal(code, outcome.error);
}

function assertRefusal(code: SaveErrorCode, error: unknown): void {
  // By its name: a store that is installed apart has a class of its own.
  const { name, code: told } = error as Partial<SaveError>;
  if (name !== 'SaveError' || told !== code) throw error;
}
