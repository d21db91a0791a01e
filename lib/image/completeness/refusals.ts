// Why an image is refused that its format's rules do not let pass, in words for the client.
import { SaveError } from '../../errors.js';

/** The refusal of an image whose bytes end too early. */
export function incomplete(): SaveError {
  return new SaveError(
    'incomplete-image',
    'The image ends before it is complete. Send all of its bytes, up to and including its end mark.',
  );
}

/** The refusal of an image whose bytes contradict each other or its format. */
export function broken(): SaveError {
  return new SaveError('broken-image', 'The image is damaged. Render it again.');
}
