// The refusals of an image that breaks the rules of its format.
import { SaveError } from '../../errors.js';

/** The refusal of an image whose bytes end too early. */
export function incomplete(): SaveError {
  return new SaveError('incomplete-image');
}

/** The refusal of an image whose bytes contradict each other or its format. */
export function broken(): SaveError {
  return new SaveError('broken-image');
}
