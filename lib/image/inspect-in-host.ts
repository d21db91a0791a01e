// Inspects in the host itself if no decoder process can be started. Loaded only then, with sharp.
import { occupyThread } from '../thread-pool.js';
import { inspectHere } from './inspect-here.js';
import { dropCachedOperations } from './sharp-image.js';
import type { ImageBytes, ImageInfo, InspectOptions } from './types.js';

/** Like `inspectHere`. Clears libvips' cache of the image, and restores the host's settings. */
export async function inspectInHost(bytes: ImageBytes, options: InspectOptions): Promise<ImageInfo> {
  return occupyThread(async () => {
    options.signal?.throwIfAborted();
    try {
      return await inspectHere(bytes, options);
    } finally {
      dropCachedOperations();
    }
  });
}
