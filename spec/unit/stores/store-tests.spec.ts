// A correct store passes all store tests, and each fault fails the test for it.
import { setImmediate } from 'node:timers/promises';
import { SaveError } from '../../../lib/errors.js';
import { storeTests } from '../../../lib/stores/store-tests.js';
import type {
  InspectedImage,
  PrepareOptions,
  PublishOptions,
  PublishResult,
  SaveTarget,
} from '../../../lib/stores/types.js';
import { MemoryBytes } from '../../../lib/bytes/image-bytes.js';
import { MemoryStore } from '../../support/memory-store.js';

const testsOf = (makeStore: () => MemoryStore): ReturnType<typeof storeTests> =>
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

describe('a store in memory', () => {
  const tests = testsOf(() => new MemoryStore());
  it.each(tests.map(({ name, run }) => [name, run] as const))('%s', async (_name, run) => {
    await run();
  });
});

type Publish = (
  image: InspectedImage,
  options: PublishOptions,
  prepared: PrepareOptions,
) => Promise<PublishResult>;

/** A store with another `publish`. */
function publishing(how: (store: MemoryStore, name: string, publish: Publish) => Publish): () => MemoryStore {
  return () =>
    new (class extends MemoryStore {
      override async prepare(name: string, options: PrepareOptions): Promise<SaveTarget> {
        const target = await super.prepare(name, options);
        const publish = how(this, name, (image, publishOptions) => target.publish(image, publishOptions));
        return { publish: (image, publishOptions) => publish(image, publishOptions, options) };
      }
    })();
}

const set =
  (change: (bytes: Buffer, image: InspectedImage) => Buffer) =>
  (store: MemoryStore, name: string, publish: Publish): Publish =>
  async (image, options, prepared) => {
    const published = await publish(image, options, prepared);
    store.images.set(name, change(store.images.get(name)!, image));
    return published;
  };

const LARGE = 1024 ** 2;

/** A fault, a store that has it, and the test that must fail. */
const faults: readonly (readonly [string, () => MemoryStore, string])[] = [
  [
    'loses the first byte of each image',
    publishing(set((bytes) => bytes.subarray(1))),
    'publishes an image from memory',
  ],
  [
    'loses the first byte of an image from a file',
    publishing(set((bytes, image) => (image.bytes instanceof MemoryBytes ? bytes : bytes.subarray(1)))),
    'publishes an image from a file',
  ],
  [
    'loses the first byte of a large image',
    publishing(set((bytes) => (bytes.length > LARGE ? bytes.subarray(1) : bytes))),
    'publishes a large image, from memory and from a file',
  ],
  [
    'changes the bytes of the image',
    publishing((_store, _name, publish) => async (image, options, prepared) => {
      const result = await publish(image, options, prepared);
      (await image.bytes.buffer())[0]! ^= 1;
      return result;
    }),
    'does not change the bytes of the image',
  ],
  [
    'never replaces',
    publishing((store, name, publish) => async (image, options, prepared) => {
      const old = store.images.get(name);
      const published = await publish(image, options, prepared);
      if (old) store.images.set(name, old);
      return published;
    }),
    'replaces an image',
  ],
  [
    'replaces an image although overwrite is false',
    () =>
      new (class extends MemoryStore {
        protected override checkFree(): void {
          // Finds every name free.
        }
      })(),
    'keeps an existing image if overwrite is false',
  ],
  [
    'checks a name only before rendering',
    publishing((store, name) => async (image, { commit }) => {
      const bytes = await image.bytes.buffer();
      commit();
      store.images.set(name, bytes);
      return { lastUpdated: Date.now() };
    }),
    'keeps an image that was published during a save with overwrite: false',
  ],
  [
    'checks the name of a large image only before rendering',
    publishing((store, name, publish) => async (image, options, prepared) => {
      if (image.bytes.length < LARGE) return publish(image, options, prepared);
      const bytes = await image.bytes.buffer();
      options.commit();
      store.images.set(name, bytes);
      return { lastUpdated: Date.now() };
    }),
    'keeps an image that was published during a large save with overwrite: false',
  ],
  [
    'waits between checking the name and publishing',
    publishing((store, name) => async (image, { commit }, { overwrite }) => {
      const bytes = await image.bytes.buffer();
      if (!overwrite && store.images.has(name)) throw new SaveError('file-exists', 'There is one.');
      await setImmediate();
      commit();
      store.images.set(name, bytes);
      return { lastUpdated: Date.now() };
    }),
    'acknowledges exactly one of many saves of a name with overwrite: false',
  ],
  [
    'refuses a taken name with another code',
    publishing((_store, _name, publish) => async (image, options, prepared) => {
      try {
        return await publish(image, options, prepared);
      } catch (error) {
        if ((error as SaveError).code !== 'file-exists') throw error;
        throw new SaveError('write-failed', 'It did not work.');
      }
    }),
    'acknowledges exactly one of many saves of a name with overwrite: false',
  ],
  [
    'writes piece by piece',
    publishing((store, name) => async (image, { commit }) => {
      const bytes = await image.bytes.buffer();
      commit();
      store.images.set(name, Buffer.alloc(0));
      for (let at = 0; at < bytes.length; at += 5000) {
        await setImmediate();
        store.images.set(name, Buffer.concat([store.images.get(name)!, bytes.subarray(at, at + 5000)]));
      }
      return { lastUpdated: Date.now() };
    }),
    'leaves one whole image after many saves of a name',
  ],
  [
    'leaves a temporary file',
    publishing((store, name, publish) => (image, options, prepared) => {
      store.images.set(`${name}.tmp`, Buffer.alloc(1));
      return publish(image, options, prepared);
    }),
    'leaves one whole image after many saves of a name',
  ],
  [
    'saves one at a time and refuses the others',
    () => {
      let busy = false;
      return publishing((_store, _name, publish) => async (image, options, prepared) => {
        if (busy) throw new SaveError('too-many-open-files', 'Try again.');
        busy = true;
        await setImmediate();
        busy = false;
        return publish(image, options, prepared);
      })();
    },
    'publishes many images at once',
  ],
  [
    'decodes names',
    () =>
      new (class extends MemoryStore {
        override prepare(name: string, options: PrepareOptions): Promise<SaveTarget> {
          return super.prepare(name.replaceAll('+', ' '), options);
        }
      })(),
    'keeps similar names apart',
  ],
  ...(['small', 'large'] as const).flatMap((kind) => {
    const concerned = (image: InspectedImage): boolean =>
      kind === 'small' ? true : image.bytes.length > LARGE;
    return [
      [
        `publishes a ${kind} image without commit`,
        publishing(
          (_store, _name, publish) => (image, options, prepared) =>
            publish(image, concerned(image) ? { commit: () => undefined } : options, prepared),
        ),
        `calls commit before it publishes a ${kind} image`,
      ],
      [
        `calls commit after it has published a ${kind} image`,
        publishing((_store, _name, publish) => async (image, options, prepared) => {
          if (!concerned(image)) return publish(image, options, prepared);
          const published = await publish(image, { commit: () => undefined }, prepared);
          options.commit();
          return published;
        }),
        `changes nothing if commit throws for a ${kind} image`,
      ],
      [
        `obeys the signal after commit of a ${kind} image`,
        publishing((_store, _name, publish) => async (image, options, prepared) => {
          if (!concerned(image)) return publish(image, options, prepared);
          options.commit();
          await setImmediate();
          await setImmediate();
          return publish(image, { commit: () => undefined }, prepared);
        }),
        `ignores the signal after commit of a ${kind} image`,
      ],
      [
        `acknowledges a ${kind} image that is no longer wanted`,
        publishing((_store, _name, publish) => async (image, options, prepared) => {
          try {
            return await publish(image, options, prepared);
          } catch (error) {
            if (!concerned(image) || (error as SaveError).code !== 'client-disconnected') throw error;
            return { lastUpdated: Date.now() };
          }
        }),
        `changes nothing if the signal aborts before commit of a ${kind} image`,
      ],
    ] as const;
  }),
  [
    'creates an empty image when a save is prepared',
    () =>
      new (class extends MemoryStore {
        override async prepare(name: string, options: PrepareOptions): Promise<SaveTarget> {
          const target = await super.prepare(name, options);
          this.images.set(name, Buffer.alloc(0));
          return target;
        }
      })(),
    'leaves nothing of a save that is abandoned',
  ],
  [
    'leaves a file of its check',
    () =>
      new (class extends MemoryStore {
        check(): Promise<void> {
          this.images.set('check.tmp', Buffer.alloc(1));
          return Promise.resolve();
        }
      })(),
    'leaves nothing of a check, if it has one, and changes no image',
  ],
  [
    'returns the time in seconds',
    publishing((_store, _name, publish) => async (image, options, prepared) => {
      const { lastUpdated } = await publish(image, options, prepared);
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
