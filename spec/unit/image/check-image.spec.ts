// An aborted inspection stops within the walk through the image, not only after it.
import { MemoryBytes } from '../../../lib/bytes/image-bytes.js';
import { checkImage } from '../../../lib/image/check-image.js';
import { inspectImage } from '../../../lib/image/inspect.js';
import { png } from '../../support/images.js';
import { countSteps } from '../../support/image-walks.js';
import { tiffFile } from '../../support/tiff-files.js';

const OPTIONS = { maxPixels: 100_000_000, signal: AbortSignal.abort(new Error('The deadline passed.')) };

/** A PNG with 50,000 empty text chunks before its pixels. */
async function pngOfManyChunks(): Promise<Buffer> {
  const image = await png(8, 8);
  const chunk = Buffer.from('000000007445587400000000', 'hex');
  const chunks = Array.from({ length: 50_000 }, () => chunk);
  return Buffer.concat([image.subarray(0, 33), ...chunks, image.subarray(33)]);
}

/** A TIFF with 50,000 strips. */
function tiffOfManyStrips(): Buffer {
  const entries = [
    [273, 4, 50_000, 100],
    [279, 4, 50_000, 100],
  ] as const;
  return tiffFile({ endian: 'II', big: false }, [{ at: 16, entries, next: 0 }], 300_000);
}

it.each([
  ['the chunks of a PNG', 'png', pngOfManyChunks],
  ['the strips of a TIFF', 'tiff', tiffOfManyStrips],
] as const)('stops walking through %s when its signal has aborted', async (_parts, format, make) => {
  const image = await make();
  const steps = await countSteps(1_000_000, async () => {
    await expect(
      checkImage(format, new MemoryBytes(image), { ...OPTIONS, verify: 'pixels' }),
    ).rejects.toThrow('deadline');
  });
  expect(steps).toBeLessThan(10_000);
});

it('stops looking for the pixels behind a header when its signal has aborted', async () => {
  const image = await pngOfManyChunks();
  for (const inspect of [inspectImage, checkImage.bind(undefined, 'png')]) {
    const steps = await countSteps(1_000_000, async () => {
      await expect(inspect(new MemoryBytes(image), { ...OPTIONS, verify: 'header' })).rejects.toThrow(
        'deadline',
      );
    });
    expect(steps).toBeLessThan(10_000);
  }
});
