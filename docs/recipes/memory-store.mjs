// A store of images in memory.
import { SaveError } from 'express-image-save';

export function memoryStore(images = new Map()) {
  return {
    async prepare(name, { overwrite, signal }) {
      const checkFree = () => {
        if (!overwrite && images.has(name)) {
          throw new SaveError('file-exists', 'Choose another name: there is an image of this one.');
        }
      };
      checkFree();
      return {
        async publish({ bytes }, { commit }) {
          const buffer = await bytes.buffer();
          signal.throwIfAborted();
          checkFree();
          commit();
          images.set(name, buffer);
          return { lastUpdated: Date.now() };
        },
      };
    },
  };
}
