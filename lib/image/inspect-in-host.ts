// Inspects in the host itself, where no decoder process can be started. Loaded only then, with sharp.
import { inspectHere } from './inspect-here.js';
import { dropCachedOperations } from './sharp-image.js';
import type { ImageBytes, ImageInfo, InspectOptions } from './types.js';

/** As `inspectHere`. Leaves nothing of the image in the memory that libvips keeps, and the host's settings as they were. */
export async function inspectInHost(bytes: ImageBytes, options: InspectOptions): Promise<ImageInfo> {
  try {
    return await inspectHere(bytes, options);
  } finally {
    dropCachedOperations();
  }
}
