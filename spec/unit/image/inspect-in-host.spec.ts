// Inspection in the host, for systems that cannot start a process. Its results equal a decoder process's.
import { MemoryBytes, type ImageBytes } from '../../../lib/bytes/image-bytes.js';
import { SaveError } from '../../../lib/errors.js';
import { inspectImage, inspectInHost } from '../../../lib/image/inspect.js';
import type { ImageInfo, InspectOptions } from '../../../lib/image/types.js';
import { withFile } from '../../support/file-bytes.js';
import { SAMPLES } from '../../support/image-samples.js';
import { useTempDir } from '../../support/temp-dir.js';

type Inspect = (bytes: ImageBytes, options: InspectOptions) => Promise<ImageInfo>;

const inFolder = useTempDir();
/** The image unchanged, without its second half, and with damage in the middle. */
const CHANGES: [string, (image: Buffer) => Buffer][] = [
  ['whole', (image) => image],
  ['cut', (image) => image.subarray(0, image.length / 2)],
  [
    'damaged',
    (image) => {
      const damaged = Buffer.from(image);
      const middle = Math.floor(image.length / 2);
      damaged.fill(0xff, middle, Math.min(image.length, middle + 40));
      return damaged;
    },
  ],
];

const OPTIONS: InspectOptions[] = [
  { verify: 'pixels', maxPixels: 100_000 },
  { verify: 'header', maxPixels: 100_000 },
  { verify: 'pixels', maxPixels: 100 },
];

const resultOf = (inspect: Inspect, bytes: ImageBytes, options: InspectOptions): Promise<unknown> =>
  inspect(bytes, options).catch((error: unknown) => (error instanceof SaveError ? error.code : error));

describe.each(SAMPLES)('%s', (_name, format, make) => {
  it.each(CHANGES)('gives the same result in the host when it is %s', async (_change, change) => {
    const image = change(await make());
    const inMemory = new MemoryBytes(image);
    const inHost = inspectInHost.bind(undefined, format);
    await withFile(inFolder('image'), image, async (onFile) => {
      for (const options of OPTIONS) {
        const expected = await resultOf(inspectImage, inMemory, options);
        expect([options, await resultOf(inHost, inMemory, options)]).toEqual([options, expected]);
        expect([options, await resultOf(inHost, onFile, options)]).toEqual([options, expected]);
      }
    });
  });
});
