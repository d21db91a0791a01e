// The tests that every store must pass, for any test runner: express-image-save/store-tests.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { SaveError } from '../errors.js';
import { expectRefusal, saveTo, type SaveOptions } from './store-test-harness.js';
import type { StoreFixture, StoreTest, StoreTestOptions } from './store-test-harness.js';
import type { PublishResult } from './types.js';

const NAME = 'shoe.png';

/** A store, and what the tests do with it. */
class StoreUnderTest {
  constructor(readonly fixture: StoreFixture) {}

  save(name: string, image: Buffer, options?: SaveOptions): Promise<PublishResult> {
    return saveTo(this.fixture.store, name, image, options);
  }

  /** Saves a new image of some length. */
  async saveNew(length: number, options?: SaveOptions): Promise<Buffer> {
    const image = randomBytes(length);
    await this.save(NAME, image, options);
    return image;
  }

  /** Asserts that the store contains exactly these images, whole: for each name, one of those given. */
  async expectContents(images: Readonly<Record<string, Buffer | readonly Buffer[]>>): Promise<void> {
    // A copy: some test runners make arrays of another realm, which `deepEqual` finds different.
    assert.deepEqual([...(await this.fixture.list())].sort(), Object.keys(images).sort());
    for (const [name, allowed] of Object.entries(images)) {
      const bytes = Buffer.from((await this.fixture.read(name)) ?? assert.fail(`${name} has no image`));
      const isWhole = [allowed].flat().some((image) => bytes.equals(image));
      assert(isWhole, `${name} has other bytes, ${bytes.length} of them`);
    }
  }
}

/**
 * The tests that every {@link ImageStore} must pass, one per promise of its contract.
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
    ...['memory', 'a file'].map((source) =>
      test(`publishes an image from ${source}`, async (store) => {
        const image = await store.saveNew(100_000, { inFile: source === 'a file' });
        await store.expectContents({ [NAME]: image });
      }),
    ),
    test('publishes a large image, from memory and from a file', async (store) => {
      const [one, other] = [randomBytes(largeImageBytes), randomBytes(largeImageBytes + 1)];
      await store.save('memory.png', one);
      await store.save('file.png', other, { inFile: true });
      await store.expectContents({ 'memory.png': one, 'file.png': other });
    }),
    test('does not change the bytes of the image', async (store) => {
      const image = randomBytes(100_000);
      const copy = Buffer.from(image);
      await store.save(NAME, image);
      assert(image.equals(copy), 'The store has changed the image');
    }),
    test('replaces an image', async (store) => {
      await store.saveNew(5000);
      await store.expectContents({ [NAME]: await store.saveNew(3000) });
    }),
    test('keeps an existing image if overwrite is false', async (store) => {
      const image = await store.saveNew(3000, { overwrite: false });
      await expectRefusal('file-exists', store.saveNew(3000, { overwrite: false }));
      await store.expectContents({ [NAME]: image });
    }),
    ...['', 'large '].map((kind) =>
      test(`keeps an image that was published during a ${kind}save with overwrite: false`, async (store) => {
        const image = randomBytes(3000);
        const late = store.saveNew(kind === '' ? 3000 : largeImageBytes, {
          overwrite: false,
          inFile: kind !== '',
          onPrepared: () => store.save(NAME, image),
        });
        await expectRefusal('file-exists', late);
        await store.expectContents({ [NAME]: image });
      }),
    ),
    test('acknowledges exactly one of many saves of a name with overwrite: false', async (store) => {
      const images = Array.from({ length: 16 }, () => randomBytes(20_000));
      // Every save has found the name free before the first one publishes.
      let [missing, goOn] = [images.length, (): void => undefined];
      const allPrepared = new Promise<void>((resolve) => (goOn = resolve));
      const onPrepared = (): Promise<void> => {
        if (--missing === 0) goOn();
        return allPrepared;
      };
      const outcomes = await Promise.allSettled(
        images.map((image) => store.save(NAME, image, { overwrite: false, onPrepared })),
      );
      const winners = images.filter((_, index) => outcomes[index]?.status === 'fulfilled');
      assert.equal(winners.length, 1, `${winners.length} of ${images.length} saves were acknowledged`);
      for (const outcome of outcomes)
        if (outcome.status === 'rejected')
          await expectRefusal('file-exists', Promise.reject(outcome.reason as Error));
      await store.expectContents({ [NAME]: winners });
    }),
    test('leaves one whole image after many saves of a name', async (store) => {
      const images = Array.from({ length: 16 }, () => randomBytes(20_000));
      await Promise.all(images.map((image) => store.save(NAME, image)));
      await store.expectContents({ [NAME]: images });
    }),
    test('publishes many images at once', async (store) => {
      const images = Object.fromEntries(
        Array.from({ length: 40 }, (_, index) => [`${index}.png`, randomBytes(10_000 + index)]),
      );
      await Promise.all(Object.entries(images).map(([name, image]) => store.save(name, image)));
      await store.expectContents(images);
    }),
    test('keeps similar names apart', async (store) => {
      const names = ['a b', 'a+b', 'a%20b', 'größe', '靴', "it's (1)&x=#~!", 'sub/a b'];
      const images = Object.fromEntries(
        names.map((name, index) => [`${name}.png`, randomBytes(1000 + index)]),
      );
      for (const [name, image] of Object.entries(images)) {
        await store.fixture.prepare?.(name);
        await store.save(name, image);
      }
      await store.expectContents(images);
    }),
    ...(['small', 'large'] as const).flatMap((kind) => {
      const inFile = kind === 'large';
      const length = inFile ? largeImageBytes : 3000;
      const tooLate = new SaveError('timeout', 'Too late.');
      return [
        test(`calls commit before it publishes a ${kind} image`, async (store) => {
          let commits = 0;
          await store.saveNew(length, { inFile, commit: () => void (commits += 1) });
          assert(commits > 0, 'commit was not called');
        }),
        test(`changes nothing if commit throws for a ${kind} image`, async (store) => {
          const image = await store.saveNew(2000);
          const commit = (): void => {
            throw tooLate;
          };
          for (const name of [NAME, 'new.png'])
            await expectRefusal('timeout', store.save(name, randomBytes(length), { inFile, commit }));
          await store.expectContents({ [NAME]: image });
        }),
        test(`ignores the signal after commit of a ${kind} image`, async (store) => {
          const stop = new AbortController();
          const commit = (): void => void setImmediate(stop.abort.bind(stop), tooLate);
          const image = await store.saveNew(length, { inFile, signal: stop.signal, commit });
          await store.expectContents({ [NAME]: image });
        }),
        test(`changes nothing if the signal aborts before commit of a ${kind} image`, async (store) => {
          const image = await store.saveNew(2000);
          const stop = new AbortController();
          const { signal } = stop;
          const left = new SaveError('client-disconnected', 'The client has disconnected.');
          const abort = stop.abort.bind(stop, left);
          const onPrepared = (): void => void setImmediate(abort);
          // The store may reach commit before it notices the abort.
          const commit = (): void => {
            abort();
            signal.throwIfAborted();
          };
          const options = { inFile, signal, onPrepared, commit };
          await expectRefusal('client-disconnected', store.saveNew(length, options));
          await store.expectContents({ [NAME]: image });
        }),
      ];
    }),
    test('leaves nothing of a save that is abandoned', async (store) => {
      const refused = new SaveError('broken-image', 'The image is damaged.');
      const onPrepared = (): Promise<never> => Promise.reject(refused);
      await expectRefusal('broken-image', store.saveNew(largeImageBytes, { inFile: true, onPrepared }));
      await store.expectContents({});
    }),
    test('leaves nothing of a check, if it has one, and changes no image', async (store) => {
      await store.fixture.store.check?.();
      await store.expectContents({});
      const image = await store.saveNew(3000);
      await store.fixture.store.check?.();
      await store.expectContents({ [NAME]: image });
    }),
    test('returns the time of an image in milliseconds', async (store) => {
      const first = await store.save(NAME, randomBytes(3000));
      assert(Number.isSafeInteger(first.lastUpdated), `${first.lastUpdated} is not whole milliseconds`);
      const apart = Math.abs(first.lastUpdated - Date.now());
      assert(apart < 24 * 3600_000, `${first.lastUpdated} is ${apart} ms from now`);
      const second = await store.save(NAME, randomBytes(3000));
      assert(second.lastUpdated >= first.lastUpdated, 'A later image has an earlier time');
    }),
  ];
}
