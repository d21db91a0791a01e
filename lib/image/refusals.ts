// The refusals of an image.
import { fileSystemError, SaveError } from '../errors.js';

/** The refusal of an image whose bytes end too early. */
export function incomplete(): SaveError {
  return new SaveError('incomplete-image');
}

/**
 * The refusal of an image whose bytes contradict each other or its format, or that cannot be decoded.
 *
 * @param cause The error underneath. A SaveError is returned unchanged.
 */
export function broken(cause?: unknown): SaveError {
  return cause instanceof SaveError ? cause : new SaveError('broken-image', {}, cause);
}

/** The refusal of an image whose file cannot be read. A missing file was removed, alone or with its folder. */
export function unreadable(cause: unknown): SaveError {
  const refusal = fileSystemError(cause);
  return refusal.code === 'folder-missing' ? new SaveError('folder-changed', {}, cause) : refusal;
}
