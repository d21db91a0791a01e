// An image in memory, as a store reads it.
import { randomBytes } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { MemoryBytes } from '../../../lib/temp-files/readable-bytes.js';

const image = randomBytes(1_000_000);

it('returns the image itself as the buffer', async () => {
  const bytes = new MemoryBytes(image);
  expect(bytes.length).toBe(image.length);
  expect(await bytes.buffer()).toBe(image);
});

it('recycles the memory of the image when it is told to, and not before', async () => {
  const recycled: Buffer[] = [];
  const bytes = new MemoryBytes(image, (buffer) => recycled.push(buffer));
  await bytes.buffer();
  expect(recycled).toEqual([]);
  bytes.recycle();
  expect(recycled).toEqual([image]);
});

it('streams the image or a range of it in chunks, without a copy', async () => {
  const bytes = new MemoryBytes(image);
  expect((await buffer(bytes.stream())).equals(image)).toBe(true);
  expect((await buffer(bytes.stream(10, 500_000))).equals(image.subarray(10, 500_000))).toBe(true);
  const chunks: Buffer[] = [];
  for await (const chunk of bytes.stream()) chunks.push(chunk as Buffer);
  expect(chunks.length).toBeGreaterThan(1);
  for (const chunk of chunks) expect(chunk.buffer).toBe(image.buffer);
});

it('lets other work run between two chunks', async () => {
  const events: string[] = [];
  setImmediate(() => events.push('other work'));
  for await (const chunk of new MemoryBytes(image).stream())
    events.push(`chunk of ${(chunk as Buffer).length}`);
  expect(events.indexOf('other work')).toBeGreaterThan(-1);
  expect(events.indexOf('other work')).toBeLessThan(events.length - 1);
});
