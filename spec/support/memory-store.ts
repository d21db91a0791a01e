// A store that keeps images in memory: the smallest that keeps the contract.
import { SaveError } from '../../lib/errors.js';
import type {
  ImageStore,
  InspectedImage,
  PrepareOptions,
  PublishOptions,
  PublishResult,
  SaveTarget,
} from '../../lib/stores/types.js';

export class MemoryStore implements ImageStore {
  readonly images = new Map<string, Buffer>();

  async prepare(name: string, { overwrite, signal }: PrepareOptions): Promise<SaveTarget> {
    this.checkFree(name, overwrite);
    const publish = async ({ bytes }: InspectedImage, { commit }: PublishOptions): Promise<PublishResult> => {
      const buffer = await bytes.buffer();
      signal.throwIfAborted();
      this.checkFree(name, overwrite);
      commit();
      // No other code runs between commit and this.
      this.images.set(name, buffer);
      return { lastUpdated: Date.now() };
    };
    return Promise.resolve({ publish });
  }

  protected checkFree(name: string, overwrite: boolean): void {
    if (overwrite || !this.images.has(name)) return;
    throw new SaveError('file-exists', 'Choose another name: there is an image of this one.');
  }
}
