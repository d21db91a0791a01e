// A store that keeps images in memory: the smallest that keeps the contract.
import { SaveError } from '../../lib/errors.js';
import type {
  ImageStore,
  SaveTarget,
  PrepareOptions,
  PublishResult,
  InspectedImage,
} from '../../lib/stores/types.js';

export class MemoryStore implements ImageStore {
  readonly images = new Map<string, Buffer>();

  async prepare(name: string, { overwrite, signal }: PrepareOptions): Promise<SaveTarget> {
    this.checkFree(name, overwrite);
    const publish = async (image: InspectedImage, lastLook: () => void): Promise<PublishResult> => {
      const bytes = await this.bytesOf(image);
      signal.throwIfAborted();
      this.checkFree(name, overwrite);
      lastLook();
      // Nothing comes between the last look and this.
      this.images.set(name, bytes);
      return { lastUpdated: Date.now() };
    };
    return Promise.resolve({ publish });
  }

  protected checkFree(name: string, overwrite: boolean): void {
    if (overwrite || !this.images.has(name)) return;
    throw new SaveError('file-exists', 'Choose another name: there is an image of this one.');
  }

  protected async bytesOf({ bytes }: InspectedImage): Promise<Buffer> {
    // A copy: what is in memory is the renderer's own.
    if (Buffer.isBuffer(bytes)) return Buffer.from(bytes);
    const all = Buffer.alloc(bytes.length);
    await bytes.read(all, 0);
    return all;
  }
}
