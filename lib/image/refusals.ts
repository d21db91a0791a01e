// The refusals of an image.
import { fileSystemError, SaveError } from '../errors.js';

/** The refusal of anything that is not one of the raster formats. */
export function notAnImage(): SaveError {
  return new SaveError('not-an-image');
}

/** The refusal of an image of too many pages that must be opened one by one. */
export function tooManyPages(maxPages: number): SaveError {
  return new SaveError('too-many-pixels', { maxPages });
}

/** The refusal of an image that is too large. */
export function tooManyPixels(maxPixels: number): SaveError {
  return new SaveError('too-many-pixels', { maxPixels });
}

/** The refusal of an image that cannot be decoded. A SaveError is returned unchanged. */
export function broken(cause: unknown): SaveError {
  if (cause instanceof SaveError) return cause;
  return new SaveError('broken-image', {}, cause);
}

/** The refusal of an image whose file cannot be read. A missing file was removed, alone or with its folder. */
export function unreadable(cause: unknown): SaveError {
  const refusal = fileSystemError(cause);
  return refusal.code === 'folder-missing' ? new SaveError('folder-changed', {}, cause) : refusal;
}
