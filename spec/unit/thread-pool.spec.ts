// One of the four threads of Node's pool stays free of long work.
import { MemoryBytes } from '../../lib/bytes/image-bytes.js';
import { setImmediate } from 'node:timers/promises';
import sharp from 'sharp';
import { inspectInHost } from '../../lib/image/inspect.js';
import { fsCalls } from '../../lib/temp-files/fs.js';
import { flushFile } from '../../lib/temp-files/flush.js';
import { occupyThread } from '../../lib/thread-pool.js';
import { createDeferred } from '../support/deferred.js';
import { png } from '../support/images.js';

it('runs three works at once, and the others in order', async () => {
  const works = Array.from({ length: 5 }, () => createDeferred<number>());
  const begun: number[] = [];
  const results = works.map((work, index) =>
    occupyThread(() => {
      begun.push(index);
      return work.promise;
    }),
  );
  expect(begun).toEqual([0, 1, 2]);
  works[1]!.resolve(11);
  expect(await results[1]).toBe(11);
  await setImmediate();
  expect(begun).toEqual([0, 1, 2, 3]);
  for (const work of works) work.resolve(0);
  await Promise.all(results);
  expect(begun).toEqual([0, 1, 2, 3, 4]);
});

it('counts flushes and decodes in the host together', async () => {
  const { fsync } = fsCalls;
  const flush = createDeferred();
  fsCalls.fsync = () => flush.promise;
  try {
    const flushes = [1, 2, 3].map((fd) => flushFile(fd, ''));
    let decoded = false;
    const image = await png(9, 9);
    const decode = inspectInHost('png', new MemoryBytes(image), { verify: 'pixels', maxPixels: 100 }).then(
      () => (decoded = true),
    );
    // Enough time for it, if it did not wait.
    for (let decodes = 0; decodes < 20; decodes += 1) await sharp(image).raw().toBuffer();
    expect(decoded).toBe(false);
    flush.resolve();
    await Promise.all([...flushes, decode]);
  } finally {
    fsCalls.fsync = fsync;
  }
});
