// The refusals of an image.
import { fileSystemError, SaveError } from '../errors.js';

/** The refusal of an image whose bytes end too early. */
export function incomplete(): SaveError {
  return new SaveError('incomplete-image');
}

/** The refusal of an image that is coded in a way that no decoder here knows. @param compression Its name. */
export function unsupported(compression: string, cause?: unknown): SaveError {
  return new SaveError('unsupported-compression', { compression }, cause);
}

// What libvips, its decoders, GLib and Node say where they get no memory or no thread. A limit of libheif's own, which
// it calls a memory allocation error too, is none of the system, and neither is libtiff's "0 elements".
const SHORTAGE =
  /(?!.*(?:security limit|\(0 elements))(\bmemory\b|\balloc|bad_alloc|no space for|creating thread|pthread_create|resource temporarily)/is;

/**
 * The refusal of an image whose bytes contradict each other or its format, or that cannot be decoded.
 *
 * @param cause The error underneath. A SaveError is returned unchanged. A shortage is no damage: `out-of-resources`.
 */
export function broken(cause?: unknown): SaveError {
  if (cause instanceof SaveError) return cause;
  const isShortage = cause instanceof Error && SHORTAGE.test(cause.message);
  return new SaveError(isShortage ? 'out-of-resources' : 'broken-image', {}, cause);
}

/** The refusal of an image whose file cannot be read. A missing file was removed, alone or with its folder. */
export function unreadable(cause: unknown): SaveError {
  const refusal = fileSystemError(cause);
  return refusal.code === 'folder-missing' ? new SaveError('folder-changed', {}, cause) : refusal;
}
