// The bytes of an image, in memory and in a file.
import { randomBytes } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { FileBytes, MemoryBytes, type ImageBytes } from '../../../lib/bytes/image-bytes.js';
import { codeOf } from '../../support/refusal.js';

const image = randomBytes(1_000_000);

class ImageFile extends FileBytes {
  readonly path = 'image';
  readonly length = image.length;
  readonly #bytes: Buffer;

  constructor(bytes = image) {
    super();
    this.#bytes = bytes;
  }

  async read(target: Uint8Array, position: number): Promise<number> {
    return Promise.resolve(this.#bytes.copy(target, 0, position));
  }
}

const inMemory = new MemoryBytes(image);
const KINDS: [string, ImageBytes][] = [
  ['in memory', inMemory],
  ['in a file', new ImageFile()],
];

describe.each(KINDS)('an image %s', (_where, bytes) => {
  it('has a length and a buffer', async () => {
    expect(bytes.length).toBe(image.length);
    expect((await bytes.buffer()).equals(image)).toBe(true);
  });

  it('reads from a position on, and less at its end', async () => {
    const target = Buffer.alloc(100);
    expect(await bytes.read(target, 5000)).toBe(100);
    expect(target.equals(image.subarray(5000, 5100))).toBe(true);
    expect(await bytes.read(target, image.length - 10)).toBe(10);
    expect(await bytes.read(target, image.length)).toBe(0);
  });

  it('streams itself or a range of it in chunks', async () => {
    expect((await buffer(bytes.stream())).equals(image)).toBe(true);
    expect((await buffer(bytes.stream(10, 500_000))).equals(image.subarray(10, 500_000))).toBe(true);
    const chunks: Buffer[] = [];
    for await (const chunk of bytes.stream()) chunks.push(chunk as Buffer);
    expect(chunks.length).toBeGreaterThan(1);
  });
});

it('is not copied if it is in memory', async () => {
  expect(await inMemory.buffer()).toBe(image);
  for await (const chunk of inMemory.stream()) expect((chunk as Buffer).buffer).toBe(image.buffer);
});

it('lets other work run between two chunks', async () => {
  const events: string[] = [];
  setImmediate(() => events.push('other work'));
  for await (const chunk of inMemory.stream()) events.push(`chunk of ${(chunk as Buffer).length}`);
  expect(events.indexOf('other work')).toBeGreaterThan(-1);
  expect(events.indexOf('other work')).toBeLessThan(events.length - 1);
});

it('is never shorter than its length: a file that has been cut is an error', async () => {
  const cut = new ImageFile(image.subarray(0, 300_000));
  expect(await codeOf(() => cut.buffer())).toBe('write-failed');
  expect(await codeOf(() => buffer(cut.stream()))).toBe('write-failed');
});
