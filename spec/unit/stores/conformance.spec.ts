// lib/store-tests.ts: a store that keeps the contract passes all of it, and each fault is found by the check for it.
import { setImmediate as turn } from 'node:timers/promises';
import { SaveError } from '../../../lib/errors.js';
import { storeTests } from '../../../lib/stores/conformance.js';
import type { SaveTarget, PrepareOptions, PublishResult, InspectedImage } from '../../../lib/stores/types.js';
import { MemoryStore } from '../../support/memory-store.js';

const checksOf = (makeStore: () => MemoryStore): ReturnType<typeof storeTests> =>
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
  const checks = checksOf(() => new MemoryStore());
  it.each(checks.map(({ name, run }) => [name, run] as const))('%s', async (_name, run) => {
    await run();
  });
});

type Publish = (image: InspectedImage, lastLook: () => void, wish: PrepareOptions) => Promise<PublishResult>;

/** A store that publishes otherwise than it should. */
function publishing(how: (store: MemoryStore, name: string, publish: Publish) => Publish): () => MemoryStore {
  return () =>
    new (class extends MemoryStore {
      override async prepare(name: string, wish: PrepareOptions): Promise<SaveTarget> {
        const place = await super.prepare(name, wish);
        const publish = how(this, name, (image, lastLook) => place.publish(image, lastLook));
        return { publish: (image, lastLook) => publish(image, lastLook, wish) };
      }
    })();
}

const allBytes = async ({ bytes }: InspectedImage): Promise<Buffer> => {
  if (Buffer.isBuffer(bytes)) return bytes;
  const all = Buffer.alloc(bytes.length);
  await bytes.read(all, 0);
  return all;
};

const set =
  (change: (bytes: Buffer, image: InspectedImage) => Buffer) =>
  (store: MemoryStore, name: string, publish: Publish): Publish =>
  async (image, lastLook, wish) => {
    const published = await publish(image, lastLook, wish);
    store.images.set(name, change(store.images.get(name)!, image));
    return published;
  };

const LARGE = 1024 ** 2;

/** A fault, the store that has it, and a check that must find it. */
const faults: readonly (readonly [string, () => MemoryStore, string])[] = [
  ['loses the end', publishing(set((bytes) => bytes.subarray(1))), 'publishes an image that is in memory'],
  [
    'loses the end of what is in a file',
    publishing(set((bytes, image) => (Buffer.isBuffer(image.bytes) ? bytes : bytes.subarray(1)))),
    'publishes an image that is in a file',
  ],
  [
    'loses the end of what is large',
    publishing(set((bytes) => (bytes.length > LARGE ? bytes.subarray(1) : bytes))),
    'publishes a large image, from memory and from a file',
  ],
  [
    'never replaces',
    publishing((store, name, publish) => async (image, lastLook, wish) => {
      const old = store.images.get(name);
      const published = await publish(image, lastLook, wish);
      if (old) store.images.set(name, old);
      return published;
    }),
    'replaces an image',
  ],
  [
    'replaces what must be kept',
    () =>
      new (class extends MemoryStore {
        protected override checkFree(): void {
          // Everything is free.
        }
      })(),
    'keeps an image that must not be replaced',
  ],
  [
    'looks whether a name is free before the image is made, and not again',
    publishing((store, name) => async (image, lastLook) => {
      const bytes = await allBytes(image);
      lastLook();
      store.images.set(name, bytes);
      return { lastUpdated: Date.now() };
    }),
    'keeps an image that comes while another is made',
  ],
  [
    'does not look again when the image is large',
    publishing((store, name, publish) => async (image, lastLook, wish) => {
      if (image.bytes.length < LARGE) return publish(image, lastLook, wish);
      const bytes = await allBytes(image);
      lastLook();
      store.images.set(name, bytes);
      return { lastUpdated: Date.now() };
    }),
    'keeps a large image that comes while another is made',
  ],
  [
    'lets time pass between its look and its publishing',
    publishing((store, name) => async (image, lastLook, { overwrite }) => {
      const bytes = await allBytes(image);
      if (!overwrite && store.images.has(name)) throw new SaveError('file-exists', 'There is one.');
      await turn();
      lastLook();
      store.images.set(name, bytes);
      return { lastUpdated: Date.now() };
    }),
    'lets exactly one of many win who must not replace each other',
  ],
  [
    'refuses the losers by another code',
    publishing((_store, _name, publish) => async (image, lastLook, wish) => {
      try {
        return await publish(image, lastLook, wish);
      } catch (error) {
        if ((error as SaveError).code !== 'file-exists') throw error;
        throw new SaveError('write-failed', 'It did not work.');
      }
    }),
    'lets exactly one of many win who must not replace each other',
  ],
  [
    'writes piece by piece',
    publishing((store, name) => async (image, lastLook) => {
      const bytes = await allBytes(image);
      lastLook();
      store.images.set(name, Buffer.alloc(0));
      for (let at = 0; at < bytes.length; at += 5000) {
        await turn();
        store.images.set(name, Buffer.concat([store.images.get(name)!, bytes.subarray(at, at + 5000)]));
      }
      return { lastUpdated: Date.now() };
    }),
    'leaves one whole image when many replace each other',
  ],
  [
    'leaves what it worked with',
    publishing((store, name, publish) => (image, lastLook, wish) => {
      store.images.set(`${name}.tmp`, Buffer.alloc(1));
      return publish(image, lastLook, wish);
    }),
    'leaves one whole image when many replace each other',
  ],
  [
    'saves one at a time and refuses the others',
    () => {
      let busy = false;
      return publishing((_store, _name, publish) => async (image, lastLook, wish) => {
        if (busy) throw new SaveError('too-many-open-files', 'Try again.');
        busy = true;
        await turn();
        busy = false;
        return publish(image, lastLook, wish);
      })();
    },
    'saves many images at once',
  ],
  [
    'decodes names',
    () =>
      new (class extends MemoryStore {
        override prepare(name: string, wish: PrepareOptions): Promise<SaveTarget> {
          return super.prepare(name.replaceAll('+', ' '), wish);
        }
      })(),
    'keeps legal names apart, letter for letter',
  ],
  ...(['small', 'large'] as const).flatMap((kind) => {
    const concerned = (image: InspectedImage): boolean =>
      kind === 'small' ? true : image.bytes.length > LARGE;
    return [
      [
        `does not ask before it publishes a ${kind} image`,
        publishing(
          (_store, _name, publish) => (image, lastLook, wish) =>
            publish(image, concerned(image) ? () => undefined : lastLook, wish),
        ),
        `asks once more before it publishes a ${kind} image`,
      ],
      [
        `asks after it has published a ${kind} image`,
        publishing((_store, _name, publish) => async (image, lastLook, wish) => {
          if (!concerned(image)) return publish(image, lastLook, wish);
          const published = await publish(image, () => undefined, wish);
          lastLook();
          return published;
        }),
        `changes nothing when the last look at a ${kind} image forbids it`,
      ],
      [
        `hears the signal after the last look at a ${kind} image`,
        publishing((_store, _name, publish) => async (image, lastLook, wish) => {
          if (!concerned(image)) return publish(image, lastLook, wish);
          lastLook();
          await turn();
          await turn();
          return publish(image, () => undefined, wish);
        }),
        `does not let itself be stopped after the last look at a ${kind} image`,
      ],
      [
        `publishes a ${kind} image that is no longer wanted`,
        publishing((_store, _name, publish) => async (image, lastLook, wish) => {
          try {
            return await publish(image, lastLook, wish);
          } catch (error) {
            if (!concerned(image) || (error as SaveError).code !== 'client-disconnected') throw error;
            return { lastUpdated: Date.now() };
          }
        }),
        `changes nothing when a ${kind} image is no longer wanted`,
      ],
    ] as const;
  }),
  [
    'makes an empty image of a place that is given up',
    () =>
      new (class extends MemoryStore {
        override async prepare(name: string, wish: PrepareOptions): Promise<SaveTarget> {
          const place = await super.prepare(name, wish);
          this.images.set(name, Buffer.alloc(0));
          return place;
        }
      })(),
    'leaves nothing at a place that is given up',
  ],
  [
    'tells the time in seconds',
    publishing((_store, _name, publish) => async (image, lastLook, wish) => {
      const { lastUpdated } = await publish(image, lastLook, wish);
      return { lastUpdated: lastUpdated / 1000 };
    }),
    'tells when an image was saved',
  ],
];

describe('a store that', () => {
  it.each(faults)('%s is found out', async (_fault, makeStore, name) => {
    const found = checksOf(makeStore).find((check) => check.name === name)!;
    await expect(found.run()).rejects.toThrow();
  });

  it('has any of these faults: there is one for each check', () => {
    const names = checksOf(() => new MemoryStore()).map(({ name }) => name);
    expect([...new Set(faults.map(([, , name]) => name))].sort()).toEqual(names.sort());
  });
});
