// The inspected bytes are the published bytes, even if the renderer reuses its buffer after sending it.
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import type express from 'express';
import { createBuffer } from '../../lib/bytes/recycled-memory.js';
import type { ImageStore, TempFile } from '../../lib/index.js';
import { DiskTempFile } from '../../lib/temp-files/temp-file.js';
import { get } from '../support/client.js';
import type { Handler } from '../support/host.js';
import { jpeg } from '../support/images.js';
import { MemoryStore } from '../support/memory-store.js';
import { useSaveFixture } from '../support/use-save-fixture.js';

const { image, folder, serve, save: saveOnce } = useSaveFixture(() => jpeg(300, 200));

/** Ways to send a buffer that the renderer may change afterwards. */
const WAYS: Record<string, (res: express.Response, bytes: Buffer) => void> = {
  end: (res, bytes) => res.end(bytes),
  send: (res, bytes) => res.send(bytes),
  'write and end': (res, bytes) => {
    res.write(bytes);
    res.end();
  },
  'two writes and end': (res, bytes) => {
    res.write(bytes.subarray(0, 100));
    res.write(bytes.subarray(100, 200));
    res.end(bytes.subarray(200));
  },
};

const REUSES: Record<string, (bytes: Buffer) => void> = {
  overwrites: (bytes) => bytes.fill(0),
  transfers: (bytes) => {
    structuredClone(bytes.buffer, { transfer: [bytes.buffer as ArrayBuffer] });
  },
};

describe.each(Object.keys(WAYS))('a renderer that uses %s', (way) => {
  describe.each(Object.keys(REUSES))('and %s its buffer', (reuse) => {
    test.each([undefined, 0, 1, 2, 3, 5, 8, 12])(
      'gets the image saved as sent when it does so after %p ms',
      async (delay) => {
        const later: Promise<void>[] = [];
        const renderer: Handler = (_req, res) => {
          // A buffer with its own memory, such as a WebAssembly encoder returns.
          const bytes = Buffer.from(new Uint8Array(image()).buffer);
          const change = (): void => {
            REUSES[reuse]!(bytes);
          };
          WAYS[way]!(res as express.Response, bytes);
          if (delay === undefined) change();
          else later.push(setTimeout(delay).then(change));
        };
        const { reply } = await saveOnce(renderer);
        await Promise.all(later);
        expect(reply).toMatchObject({ status: 'done', image: { length: image().length } });
        expect(readFileSync(join(folder(), 'x.jpg')).equals(image())).toBe(true);
      },
    );
  });
});

describe('memory that is used for one image after the other', () => {
  /** Images of one length that differ in the bytes after their end marker. */
  const numbered = (number: number): Buffer => Buffer.concat([image(), Buffer.alloc(100_000, number)]);
  const renderer: Handler = (req, res) => {
    res.end(numbered(Number(new URLSearchParams(req.url?.split('?')[1]).get('number'))));
  };
  const save = async (url: string, number: number, end = ''): Promise<string | undefined> =>
    (await get(`${url}/x?number=${number}&req=saveToFile&name=${number}.jpg${end}`)).reply.error?.code;

  test.each(['header', 'pixels'] as const)(
    'never mixes images that are saved at once, of which some fail: verify %s',
    async (verify) => {
      const { url } = await serve(renderer, { verify });
      for (let round = 0; round < 5; round += 1) {
        const numbers = Array.from({ length: 20 }, (_, at) => 20 * round + at);
        const codes = await Promise.all(
          numbers.map((number) => save(url, number, number % 5 === 0 ? '&timeout=1' : '')),
        );
        const saved = numbers.filter((_, at) => codes[at] === undefined);
        expect(saved.length).toBeGreaterThanOrEqual(16);
        for (const number of saved) {
          expect(readFileSync(join(folder(), `${number}.jpg`)).equals(numbered(number))).toBe(true);
        }
      }
    },
  );

  test('is that of images which were saved into a folder, and of no others', async () => {
    const { url } = await serve(renderer, { verify: 'header' });
    /** New memory does not contain an earlier image. */
    const isFree = (number: number): boolean =>
      createBuffer(numbered(number).length).equals(numbered(number));
    expect(await save(url, 41)).toBeUndefined();
    expect(isFree(41)).toBe(true);
    expect(await save(url, 42, '.png')).toBe('wrong-extension');
    expect(isFree(42)).toBe(false);
  });

  test('is not that of an image which a store keeps', async () => {
    const store = new MemoryStore();
    const { url } = await serve(renderer, { store, verify: 'header' });
    for (let number = 0; number < 20; number += 1) expect(await save(url, number)).toBeUndefined();
    for (let number = 0; number < 20; number += 1) {
      expect(store.images.get(`${number}.jpg`)?.equals(numbered(number))).toBe(true);
    }
  });

  test('never mixes images that are written in pieces at once', async () => {
    const sent = Array.from({ length: 8 }, () => Buffer.concat([image(), randomBytes(3_000_000)]));
    const inPieces: Handler = (req, res) => {
      const bytes = sent[Number(req.url?.at(-1))]!;
      const pieces = Array.from({ length: Math.ceil(bytes.length / 65_536) }, (_, at) =>
        bytes.subarray(65_536 * at, 65_536 * (at + 1)),
      );
      Readable.from(pieces).pipe(res);
    };
    const { url } = await serve(inPieces, { verify: 'header' });
    const codes = await Promise.all(sent.map((_, number) => save(url, number)));
    expect(codes.every((code) => code === undefined)).toBe(true);
    for (const [number, bytes] of sent.entries()) {
      expect(readFileSync(join(folder(), `${number}.jpg`)).equals(bytes)).toBe(true);
    }
  });

  test('is not that of chunks which the temporary file of a store keeps', async () => {
    const kept: [chunk: Uint8Array, copy: Uint8Array][] = [];
    const createKeepingFile = (name: string): TempFile => {
      const file = new DiskTempFile(join(folder(), name), 0o600);
      const write = file.write.bind(file);
      file.write = (chunks) => {
        for (const chunk of chunks) kept.push([chunk, Uint8Array.from(chunk)]);
        return write(chunks);
      };
      return file;
    };
    const store: ImageStore = {
      prepare: (name) =>
        Promise.resolve({
          tempFile: createKeepingFile(name),
          publish(_image, { commit }) {
            commit();
            return Promise.resolve({ lastUpdated: 0 });
          },
        }),
    };
    const large: Handler = (_req, res) => {
      res.write(image());
      for (let at = 0; at < 20; at += 1) res.write(randomBytes(65_536));
      res.end();
    };
    const { url } = await serve(large, { store, verify: 'header' });
    for (let number = 0; number < 3; number += 1) expect(await save(url, number)).toBeUndefined();
    expect(kept.length).toBeGreaterThan(20);
    for (const [chunk, copy] of kept) expect(Buffer.compare(chunk, copy)).toBe(0);
  });
});
