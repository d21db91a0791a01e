// Images of every format, cut at every byte, in memory and in files.
import { MemoryBytes } from '../../../../lib/bytes/image-bytes.js';
import type { Sharp } from 'sharp';
import { assertComplete, countPixels } from '../../../../lib/image/containers/index.js';
import type { ImageFormat } from '../../../../lib/image/formats.js';
import { withFile } from '../../../support/file-bytes.js';
import { countSteps, verdictOn } from '../../../support/image-walks.js';
import { SAMPLES } from '../../../support/image-samples.js';
import { noise, tiledAvif } from '../../../support/images.js';
import { useTempDir } from '../../../support/temp-dir.js';

const inFolder = useTempDir();

const verdictOnFile = (format: ImageFormat, bytes: Buffer): Promise<string> =>
  withFile(inFolder('image'), bytes, (file) => verdictOn(format, file));

it.each(SAMPLES)('accepts a whole %s', async (_name, format, make) => {
  const whole = await make();
  expect(await verdictOn(format, whole)).toBe('whole');
  expect(await verdictOnFile(format, whole)).toBe('whole');
});

it.each(SAMPLES)('accepts any bytes behind a %s', async (_name, format, make) => {
  const whole = await make();
  const random = Buffer.from('\xff\x01 behind', 'latin1');
  const hugeBox = Buffer.from('7fffffff6d646174', 'hex');
  for (const behind of [Buffer.from('\0'), Buffer.alloc(9), random, hugeBox, whole, whole.subarray(0, -9)]) {
    expect([behind, await verdictOn(format, Buffer.concat([whole, behind]))]).toEqual([behind, 'whole']);
  }
});

it.each(SAMPLES)('refuses a %s wherever it is cut', async (_name, format, make) => {
  const whole = await make();
  const accepted: number[] = [];
  // The format is known from the first bytes, so no image is shorter than those.
  for (let length = 16; length < whole.length; length += whole.length > 4000 ? 7 : 1) {
    if ((await verdictOn(format, whole.subarray(0, length))) !== 'incomplete-image') accepted.push(length);
  }
  for (const length of [16, whole.length >> 1, whole.length - 1]) {
    if ((await verdictOnFile(format, whole.subarray(0, length))) !== 'incomplete-image')
      accepted.push(length);
  }
  expect(accepted).toEqual([]);
});

it.each(SAMPLES)(
  'counts the pixels of a %s as the decoder does, and does not tell those of a cut one',
  async (_name, format, make, { pixels }) => {
    const whole = await make();
    expect(await countPixels(format, new MemoryBytes(whole))).toBe(pixels);
    expect(await countPixels(format, new MemoryBytes(whole.subarray(0, 20)))).toBeUndefined();
  },
);

it('counts an AVIF of visible tiles once', async () => {
  expect(await countPixels('avif', new MemoryBytes(await tiledAvif()))).toBe(128 * 64);
});

it.each<[ImageFormat, (image: Sharp) => Sharp]>([
  ['jpeg', (image) => image.jpeg({ quality: 95 })],
  ['png', (image) => image.png()],
  ['gif', (image) => image.gif({ effort: 1 })],
  ['webp', (image) => image.webp({ effort: 0, quality: 95 })],
  ['tiff', (image) => image.tiff({ compression: 'none' })],
  ['avif', (image) => image.avif({ effort: 0, quality: 90 })],
])('accepts a whole %s of several windows, and refuses it cut', async (format, encode) => {
  const whole = await encode(noise(700, 600)).toBuffer();
  expect(whole.length).toBeGreaterThan(3 * 64 * 1024);
  expect([await verdictOn(format, whole), await verdictOnFile(format, whole)]).toEqual(['whole', 'whole']);
  for (let length = 1000; length < whole.length; length += Math.floor(whole.length / 300)) {
    expect(await verdictOn(format, whole.subarray(0, length))).toBe('incomplete-image');
  }
  expect(await verdictOnFile(format, whole.subarray(0, whole.length - 1))).toBe('incomplete-image');
});

/** Entropy-coded bytes of 8 MiB, and the end of the image. */
const LONG_JPEG = Buffer.from(`ffd8${'00'.repeat(8 << 20)}ffd9`, 'hex');

it('yields to the event loop once in 64 KiB', async () => {
  let turns = 0;
  const count = (): void => {
    turns += 1;
    immediate = setImmediate(count);
  };
  let immediate = setImmediate(count);
  await assertComplete('jpeg', new MemoryBytes(LONG_JPEG));
  clearImmediate(immediate);
  expect(turns).toBeGreaterThanOrEqual(LONG_JPEG.length / 65_536 - 1);
});

it('stops at the next yield once its signal has aborted', async () => {
  const abort = new AbortController();
  const reason = new Error('The deadline passed.');
  const immediate = setImmediate(() => {
    abort.abort(reason);
  });
  const steps = await countSteps(1000, async () => {
    await expect(assertComplete('jpeg', new MemoryBytes(LONG_JPEG), abort.signal)).rejects.toBe(reason);
  });
  clearImmediate(immediate);
  expect(steps).toBeLessThan(10);
});
