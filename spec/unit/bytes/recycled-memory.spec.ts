// Memory that is used for one image after the other.
import { randomBytes } from 'node:crypto';
import { copyBytes, createBuffer, recycle } from '../../../lib/bytes/recycled-memory.js';

const MIN = 64 * 1024;
const MAX = 16 * 1024 * 1024;

it.each([0, 1, MIN - 1, MIN, MIN + 1, 100_000, 300_001, MAX, MAX + 1])('copies %i bytes', (length) => {
  const bytes = randomBytes(length);
  const copy = copyBytes(bytes);
  expect(copy).toHaveLength(length);
  expect(copy.equals(bytes)).toBe(true);
  copy.fill(1);
  bytes.fill(2);
  expect(copy.every((byte) => byte === 1)).toBe(true);
});

it('copies a part of a larger buffer', () => {
  const bytes = randomBytes(3 * MIN);
  expect(copyBytes(bytes.subarray(MIN, 2 * MIN)).equals(bytes.subarray(MIN, 2 * MIN))).toBe(true);
});

it('gives two copies that were not recycled memory of their own', () => {
  const first = copyBytes(Buffer.alloc(MIN, 1));
  const second = copyBytes(Buffer.alloc(MIN, 2));
  expect(second.buffer).not.toBe(first.buffer);
  expect(first.every((byte) => byte === 1)).toBe(true);
});

it.each([
  [MIN, MIN],
  [200_000, 199_000],
  [5_000_000, 5_000_000],
  [MAX, MAX],
])('uses the memory of a recycled copy of %i bytes for the next of %i', (length, nextLength) => {
  const first = copyBytes(Buffer.alloc(length, 1));
  recycle(first);
  const second = copyBytes(Buffer.alloc(nextLength, 2));
  expect(second.buffer).toBe(first.buffer);
  expect(second.equals(Buffer.alloc(nextLength, 2))).toBe(true);
});

it('uses it if only a part of the copy is recycled, as of a buffer that was not filled', () => {
  const first = createBuffer(MIN);
  recycle(first.subarray(0, 10));
  expect(createBuffer(MIN).buffer).toBe(first.buffer);
});

it('uses the memory once if a copy is recycled twice', () => {
  const first = copyBytes(Buffer.alloc(MIN, 1));
  recycle(first);
  recycle(first);
  const second = copyBytes(Buffer.alloc(MIN, 2));
  const third = copyBytes(Buffer.alloc(MIN, 3));
  expect(third.buffer).not.toBe(second.buffer);
});

it('never uses the memory of a buffer that it has not made', () => {
  const foreign = Buffer.alloc(MIN, 1);
  recycle(foreign);
  copyBytes(Buffer.alloc(MIN, 2));
  expect(foreign.every((byte) => byte === 1)).toBe(true);
});

it.each([MIN, 163_840, 5_000_000, 12_345_678])('takes at most a quarter more than %i bytes', (length) => {
  expect(copyBytes(Buffer.alloc(length)).buffer.byteLength).toBeLessThanOrEqual(1.25 * length);
});
