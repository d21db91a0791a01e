// What every store must do, as checks that any test runner can run: express-image-save/store-spec.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { SaveError, type SaveErrorCode } from './errors.js';
import type { ImageBytes } from './image.js';
import { privateSpool } from './spool.js';
import type { ImageStore, Place, Published } from './store.js';
import { Sweeper } from './sweeper.js';

export type { ImageStore, Place, PlaceWish, Published, Spool, WholeImage } from './store.js';

/** Makes stores for the checks: each begins with one of its own. */
export interface StoreHarness {
  /** Makes a store with nothing in it. */
  readonly open: () => Promise<OpenStore>;
  /** Bytes of what is a large image to the store: one that it does not treat as the others. Default 3 MiB. */
  readonly large?: number;
}

/** A store, and how to see what is in it. */
export interface OpenStore {
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
export interface StoreCheck {
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
  readonly found?: (place: Place) => Promise<void>;
  readonly lastLook?: () => void;
}

const NAME = 'shoe.png';

/**
 * The checks of the contract of {@link ImageStore}, one for each promise.
 *
 * @example
 * for (const { name, run } of storeSpec({ open: openMyStore })) test(name, run);
 */
export function storeSpec(harness: StoreHarness): StoreCheck[] {
  const large = harness.large ?? 3 * 1024 ** 2;
  const check = (name: string, body: (at: Bench) => Promise<void>): StoreCheck => ({
    name,
    async run() {
      const opened = await harness.open();
      try {
        await body(new Bench(opened));
      } finally {
        await opened.close();
      }
    },
  });

  return [
    check('publishes an image that is in memory', async (at) => {
      const image = randomBytes(100_000);
      await at.save(NAME, image);
      await at.holds({ [NAME]: image });
    }),
    check('publishes an image that is in a file', async (at) => {
      const image = randomBytes(100_000);
      await at.save(NAME, image, { inFile: true });
      await at.holds({ [NAME]: image });
    }),
    check('publishes a large image, from memory and from a file', async (at) => {
      const [one, other] = [randomBytes(large), randomBytes(large + 1)];
      await at.save('memory.png', one);
      await at.save('file.png', other, { inFile: true });
      await at.holds({ 'memory.png': one, 'file.png': other });
    }),
    check('replaces an image', async (at) => {
      await at.save(NAME, randomBytes(5000));
      const image = randomBytes(3000);
      await at.save(NAME, image);
      await at.holds({ [NAME]: image });
    }),
    check('keeps an image that must not be replaced', async (at) => {
      const image = randomBytes(3000);
      await at.save(NAME, image, { overwrite: false });
      await refuses('file-exists', at.save(NAME, randomBytes(3000), { overwrite: false }));
      await at.holds({ [NAME]: image });
    }),
    check('keeps an image that comes while another is made', async (at) => {
      const image = randomBytes(3000);
      const found = async (): Promise<void> => {
        await at.save(NAME, image);
      };
      await refuses('file-exists', at.save(NAME, randomBytes(3000), { overwrite: false, found }));
      await at.holds({ [NAME]: image });
    }),
    check('keeps a large image that comes while another is made', async (at) => {
      const image = randomBytes(3000);
      const found = async (): Promise<void> => {
        await at.save(NAME, image);
      };
      const late = at.save(NAME, randomBytes(large), { overwrite: false, inFile: true, found });
      await refuses('file-exists', late);
      await at.holds({ [NAME]: image });
    }),
    check('lets exactly one of many win who must not replace each other', async (at) => {
      const images = Array.from({ length: 16 }, () => randomBytes(20_000));
      // All have found the name free before the first of them publishes.
      const all = new Barrier(images.length);
      const found = (): Promise<void> => all.arrive();
      const outcomes = await Promise.allSettled(
        images.map((image) => at.save(NAME, image, { overwrite: false, found })),
      );
      const winners = images.filter((_, index) => outcomes[index]?.status === 'fulfilled');
      assert.equal(winners.length, 1, `${winners.length} of ${images.length} saves were acknowledged`);
      for (const outcome of outcomes)
        if (outcome.status === 'rejected') isRefusal('file-exists', outcome.reason);
      await at.holds({ [NAME]: winners[0] ?? assert.fail() });
    }),
    check('leaves one whole image when many replace each other', async (at) => {
      const images = Array.from({ length: 16 }, () => randomBytes(20_000));
      await Promise.all(images.map((image) => at.save(NAME, image)));
      const bytes = await at.read(NAME);
      assert(
        images.some((image) => image.equals(bytes)),
        'What is under the name is none of the images',
      );
      assert.deepEqual(await at.list(), [NAME]);
    }),
    check('saves many images at once', async (at) => {
      const images = Object.fromEntries(
        Array.from({ length: 40 }, (_, index) => [`${index}.png`, randomBytes(10_000 + index)]),
      );
      await Promise.all(Object.entries(images).map(([name, image]) => at.save(name, image)));
      await at.holds(images);
    }),
    check('keeps legal names apart, letter for letter', async (at) => {
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
        await at.prepare(name);
        await at.save(name, image);
      }
      await at.holds(images);
    }),
    ...[3000, large].flatMap((length) => {
      const kind = length === large ? 'large' : 'small';
      const inFile = length === large;
      return [
        check(`asks once more before it publishes a ${kind} image`, async (at) => {
          let looks = 0;
          const lastLook = (): void => {
            looks += 1;
          };
          await at.save(NAME, randomBytes(length), { inFile, lastLook });
          assert(looks > 0, 'The last look was not called');
        }),
        check(`changes nothing when the last look at a ${kind} image forbids it`, async (at) => {
          const image = randomBytes(2000);
          await at.save(NAME, image);
          const forbid = (): void => {
            throw new SaveError('timeout', 'Too late.');
          };
          await refuses('timeout', at.save(NAME, randomBytes(length), { inFile, lastLook: forbid }));
          await refuses('timeout', at.save('new.png', randomBytes(length), { inFile, lastLook: forbid }));
          await at.holds({ [NAME]: image });
        }),
        check(`does not let itself be stopped after the last look at a ${kind} image`, async (at) => {
          const stop = new AbortController();
          const lastLook = (): void => {
            setImmediate(() => {
              stop.abort(new SaveError('timeout', 'Too late.'));
            });
          };
          const image = randomBytes(length);
          await at.save(NAME, image, { inFile, signal: stop.signal, lastLook });
          await at.holds({ [NAME]: image });
        }),
        check(`changes nothing when a ${kind} image is no longer wanted`, async (at) => {
          const image = randomBytes(2000);
          await at.save(NAME, image);
          const stop = new AbortController();
          const found = (): Promise<void> => {
            setImmediate(() => {
              stop.abort(new SaveError('client-gone', 'Nobody waits.'));
            });
            return Promise.resolve();
          };
          // Whether the abort or the last look comes first is the store's affair.
          const lastLook = (): void => {
            stop.abort(new SaveError('client-gone', 'Nobody waits.'));
            stop.signal.throwIfAborted();
          };
          const save = at.save(NAME, randomBytes(length), { inFile, signal: stop.signal, found, lastLook });
          await refuses('client-gone', save);
          await at.holds({ [NAME]: image });
        }),
      ];
    }),
    check('leaves nothing at a place that is given up', async (at) => {
      await at.giveUp(NAME, randomBytes(large));
      await at.holds({});
    }),
    check('tells when an image was saved', async (at) => {
      const first = await at.save(NAME, randomBytes(3000));
      assert(Number.isSafeInteger(first.lastUpdated), `${first.lastUpdated} is not whole milliseconds`);
      const apart = Math.abs(first.lastUpdated - Date.now());
      assert(apart < 24 * 3600_000, `${first.lastUpdated} is ${apart} ms from now`);
      const second = await at.save(NAME, randomBytes(3000));
      assert(second.lastUpdated >= first.lastUpdated, 'A later image has an earlier time');
    }),
  ];
}

/** A store under the hands of a check. */
class Bench {
  readonly #opened: OpenStore;

  constructor(opened: OpenStore) {
    this.#opened = opened;
  }

  /** Saves as the middleware does. */
  async save(name: string, image: Buffer, options: SaveOptions = {}): Promise<Published> {
    const { signal = new AbortController().signal, lastLook = () => undefined } = options;
    return this.#at(name, options, async (place) => {
      await options.found?.(place);
      const publish = (bytes: ImageBytes): Promise<Published> =>
        place.publish(
          { bytes, format: 'png', type: 'image/png', width: 30, height: 20, pages: 1, pixels: 600 },
          () => {
            if (options.lastLook === undefined) signal.throwIfAborted();
            lastLook();
          },
        );
      return options.inFile === true ? withFile(place, image, publish) : publish(image);
    });
  }

  /** Begins a save and does not publish. */
  async giveUp(name: string, image: Buffer): Promise<void> {
    await this.#at(name, {}, (place) => withFile(place, image, () => Promise.resolve()));
  }

  async #at<Value>(
    name: string,
    options: SaveOptions,
    use: (place: Place) => Promise<Value>,
  ): Promise<Value> {
    const place = await this.#opened.store.findPlace(name, {
      req: new IncomingMessage(new Socket()),
      overwrite: options.overwrite ?? true,
      durable: true,
      signal: options.signal ?? new AbortController().signal,
    });
    try {
      return await use(place);
    } finally {
      await place.spool?.discard();
      await place.close?.();
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
  async holds(images: Readonly<Record<string, Buffer>>): Promise<void> {
    assert.deepEqual(await this.list(), Object.keys(images).sort());
    for (const [name, image] of Object.entries(images)) {
      const bytes = await this.read(name);
      assert(bytes.equals(image), `${name} holds other bytes: ${bytes.length} of ${image.length}`);
    }
  }
}

/** Puts an image into a file as the middleware does: into the place's own, or a private one. */
async function withFile<Value>(
  place: Place,
  image: Buffer,
  use: (bytes: ImageBytes) => Promise<Value>,
): Promise<Value> {
  if (place.spool !== undefined) {
    await place.spool.write([image.subarray(0, 1000), image.subarray(1000)]);
    return use(place.spool);
  }
  const spool = privateSpool(new Sweeper(Infinity));
  try {
    await spool.write([image]);
    return await use(spool);
  } finally {
    await spool.discard();
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

async function refuses(code: SaveErrorCode, save: Promise<unknown>): Promise<void> {
  const outcome = await save.then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  assert(outcome !== undefined, `The save was acknowledged, and should be refused by ${code}`);
  isRefusal(code, outcome.error);
}

function isRefusal(code: SaveErrorCode, error: unknown): void {
  // By its name: a store that is installed apart has a class of its own.
  const { name, code: told } = error as Partial<SaveError>;
  if (name !== 'SaveError' || told !== code) throw error;
}
