// A correct store passes all store tests, and each fault fails the test for it.
import { setImmediate } from 'node:timers/promises';
import { SaveError } from '../../../lib/errors.js';
import { storeTests } from '../../../lib/stores/store-tests.js';
import type { ImageStore, InspectedImage, PrepareOptions, SaveTarget } from '../../../lib/stores/types.js';
import { MemoryBytes } from '../../../lib/bytes/image-bytes.js';
import { MemoryStore } from '../../support/memory-store.js';

type Store = ImageStore & Pick<MemoryStore, 'images'>;

const testsOf = (makeStore: () => Store): ReturnType<typeof storeTests> =>
  storeTests({
    open() {
      const store = makeStore();
      return Promise.resolve({
        store,
        read: (name: string) => Promise.resolve(store.images.get(name)),
        list: () => Promise.resolve([...store.images.keys()]),
        close: () => Promise.resolve(),
      });
    },
  });

const tests = testsOf(() => new MemoryStore());
it.each(tests.map(({ name, run }) => [name, run] as const))('a store in memory %s', async (_name, run) => {
  await run();
});

/** A store with another `prepare`. */
function preparing(
  how: (store: MemoryStore, name: string, options: PrepareOptions) => Promise<SaveTarget>,
): () => Store {
  return () => {
    const store = new MemoryStore();
    return { images: store.images, prepare: (name, options) => how(store, name, options) };
  };
}

type Publish = SaveTarget['publish'];

/** One save to a correct store. */
interface Save {
  readonly images: Map<string, Buffer>;
  readonly name: string;
  readonly overwrite: boolean;
  readonly publish: Publish;
}

/** A store with another `publish`. */
function publishing(how: (save: Save) => Publish): () => Store {
  return preparing(async (store, name, options) => {
    const target = await store.prepare(name, options);
    const publish: Publish = (image, given) => target.publish(image, given);
    return { publish: how({ images: store.images, name, overwrite: options.overwrite, publish }) };
  });
}

/** A store that changes an image that it has published. */
const changing = (change: (bytes: Buffer, image: InspectedImage) => Buffer): (() => Store) =>
  publishing(({ images, name, publish }) => async (image, options) => {
    const published = await publish(image, options);
    images.set(name, change(images.get(name)!, image));
    return published;
  });

/** Publishes without another look at the name. */
const publishBlindly =
  ({ images, name }: Save): Publish =>
  async (image, { commit }) => {
    const bytes = await image.bytes.buffer();
    commit();
    images.set(name, bytes);
    return { lastUpdated: Date.now() };
  };

/** Turns a refusal with a code into something else. */
const refusing = (
  code: string,
  instead: () => ReturnType<Publish>,
  concerned: (image: InspectedImage) => boolean = () => true,
): (() => Store) =>
  publishing(
    ({ publish }) =>
      (image, options) =>
        publish(image, options).catch((error: unknown) => {
          if (!concerned(image) || (error as SaveError).code !== code) throw error;
          return instead();
        }),
  );

const LARGE = 1024 ** 2;
const done = { commit: (): void => undefined };

/** A fault, a store that has it, and the test that must fail. */
const faults: readonly (readonly [string, () => Store, string])[] = [
  [
    'loses the first byte of each image',
    changing((bytes) => bytes.subarray(1)),
    'publishes an image from memory',
  ],
  [
    'loses the first byte of an image from a file',
    changing((bytes, image) => (image.bytes instanceof MemoryBytes ? bytes : bytes.subarray(1))),
    'publishes an image from a file',
  ],
  [
    'loses the first byte of a large image',
    changing((bytes) => (bytes.length > LARGE ? bytes.subarray(1) : bytes)),
    'publishes a large image, from memory and from a file',
  ],
  [
    'changes the bytes of the image',
    publishing(({ publish }) => async (image, options) => {
      const result = await publish(image, options);
      (await image.bytes.buffer())[0]! ^= 1;
      return result;
    }),
    'does not change the bytes of the image',
  ],
  [
    'never replaces',
    publishing(({ images, name, publish }) => async (image, options) => {
      const old = images.get(name);
      const published = await publish(image, options);
      if (old) images.set(name, old);
      return published;
    }),
    'replaces an image',
  ],
  [
    'replaces an image although overwrite is false',
    preparing((store, name, options) => store.prepare(name, { ...options, overwrite: true })),
    'keeps an existing image if overwrite is false',
  ],
  [
    'checks a name only before rendering',
    publishing(publishBlindly),
    'keeps an image that was published during a save with overwrite: false',
  ],
  [
    'checks the name of a large image only before rendering',
    publishing(
      (save) => (image, options) =>
        (image.bytes.length < LARGE ? save.publish : publishBlindly(save))(image, options),
    ),
    'keeps an image that was published during a large save with overwrite: false',
  ],
  [
    'waits between checking the name and publishing',
    publishing((save) => async (image, options) => {
      if (!save.overwrite && save.images.has(save.name)) throw new SaveError('file-exists', 'There is one.');
      await setImmediate();
      return publishBlindly(save)(image, options);
    }),
    'acknowledges exactly one of many saves of a name with overwrite: false',
  ],
  [
    'refuses a taken name with another code',
    refusing('file-exists', () => Promise.reject(new SaveError('write-failed', 'It did not work.'))),
    'acknowledges exactly one of many saves of a name with overwrite: false',
  ],
  [
    'writes piece by piece',
    publishing(({ images, name }) => async (image, { commit }) => {
      const bytes = await image.bytes.buffer();
      commit();
      images.set(name, Buffer.alloc(0));
      for (let at = 0; at < bytes.length; at += 5000) {
        await setImmediate();
        images.set(name, Buffer.concat([images.get(name)!, bytes.subarray(at, at + 5000)]));
      }
      return { lastUpdated: Date.now() };
    }),
    'leaves one whole image after many saves of a name',
  ],
  [
    'leaves a temporary file',
    publishing(({ images, name, publish }) => (image, options) => {
      images.set(`${name}.tmp`, Buffer.alloc(1));
      return publish(image, options);
    }),
    'leaves one whole image after many saves of a name',
  ],
  [
    'saves one at a time and refuses the others',
    () => {
      let busy = false;
      return publishing(({ publish }) => async (image, options) => {
        if (busy) throw new SaveError('too-many-open-files', 'Try again.');
        busy = true;
        await setImmediate();
        busy = false;
        return publish(image, options);
      })();
    },
    'publishes many images at once',
  ],
  [
    'decodes names',
    preparing((store, name, options) => store.prepare(name.replaceAll('+', ' '), options)),
    'keeps similar names apart',
  ],
  ...(['small', 'large'] as const).flatMap((kind) => {
    const concerned = (image: InspectedImage): boolean => kind === 'small' || image.bytes.length > LARGE;
    const publishingThese = (how: (save: Save) => Publish): (() => Store) =>
      publishing((save) => (image, options) => (concerned(image) ? how(save) : save.publish)(image, options));
    return [
      [
        `publishes a ${kind} image without commit`,
        publishingThese(
          ({ publish }) =>
            (image) =>
              publish(image, done),
        ),
        `calls commit before it publishes a ${kind} image`,
      ],
      [
        `calls commit after it has published a ${kind} image`,
        publishingThese(({ publish }) => async (image, { commit }) => {
          const published = await publish(image, done);
          commit();
          return published;
        }),
        `changes nothing if commit throws for a ${kind} image`,
      ],
      [
        `obeys the signal after commit of a ${kind} image`,
        publishingThese(({ publish }) => async (image, { commit }) => {
          commit();
          await setImmediate();
          await setImmediate();
          return publish(image, done);
        }),
        `ignores the signal after commit of a ${kind} image`,
      ],
      [
        `acknowledges a ${kind} image that is no longer wanted`,
        refusing('client-disconnected', () => Promise.resolve({ lastUpdated: Date.now() }), concerned),
        `changes nothing if the signal aborts before commit of a ${kind} image`,
      ],
    ] as const;
  }),
  [
    'creates an empty image when a save is prepared',
    preparing(async (store, name, options) => {
      const target = await store.prepare(name, options);
      store.images.set(name, Buffer.alloc(0));
      return target;
    }),
    'leaves nothing of a save that is abandoned',
  ],
  [
    'leaves a file of its check',
    () => {
      const store = new MemoryStore();
      const check = async (): Promise<void> =>
        Promise.resolve(void store.images.set('check.tmp', Buffer.alloc(1)));
      return Object.assign(store, { check });
    },
    'leaves nothing of a check, if it has one, and changes no image',
  ],
  [
    'returns the time in seconds',
    publishing(({ publish }) => async (image, options) => {
      const { lastUpdated } = await publish(image, options);
      return { lastUpdated: lastUpdated / 1000 };
    }),
    'returns the time of an image in milliseconds',
  ],
];

describe('the store tests', () => {
  it.each(faults)('fail a store that %s', async (_fault, makeStore, name) => {
    const found = testsOf(makeStore).find((test) => test.name === name)!;
    await expect(found.run()).rejects.toThrow();
  });

  it('each detect a faulty store', () => {
    const names = testsOf(() => new MemoryStore()).map(({ name }) => name);
    expect([...new Set(faults.map(([, , name]) => name))].sort()).toEqual(names.sort());
  });
});
