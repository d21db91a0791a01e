// The fixture of specs of saves over real connections: an image and a save folder.
import { makeTempDir, removeTempDirs } from './temp-dir.js';
import { stopAll } from './host.js';
import { jpeg } from './images.js';

/**
 * Makes one image for a file and a new folder for each of its tests, and stops what a test has started. Call it at the
 * top of a file.
 */
export function useSaveFixture(make = jpeg): { readonly image: () => Buffer; readonly folder: () => string } {
  let image: Buffer;
  let folder: string;
  beforeAll(async () => {
    image = await make();
  });
  beforeEach(() => {
    folder = makeTempDir();
  });
  afterEach(stopAll);
  afterAll(removeTempDirs);
  return { image: () => image, folder: () => folder };
}
