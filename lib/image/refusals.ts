// Why an image is refused, in words for the client.
import { SaveError } from '../errors.js';

/** The refusal of anything that is not one of the raster formats. */
export function notAnImage(): SaveError {
  return new SaveError(
    'not-an-image',
    'The answer is not an image that can be saved. Ask for a JPEG, PNG, WebP, GIF, TIFF or AVIF image.',
  );
}

/** The refusal of an image of too many pages that must be opened one by one. */
export function tooManyPages(maxPages: number): SaveError {
  return new SaveError(
    'too-many-pixels',
    `The image has more than ${maxPages} pages of different sizes. Ask for fewer.`,
  );
}

/** The refusal of an image that is too large. */
export function tooManyPixels(maxPixels: number): SaveError {
  return new SaveError(
    'too-many-pixels',
    `The image has more than ${maxPixels} pixels, all pages together. Ask for a smaller one.`,
  );
}

/** The refusal of an image that cannot be decoded; a refusal that has its reason already stays what it is. */
export function broken(cause: unknown): SaveError {
  if (cause instanceof SaveError) return cause;
  return new SaveError('broken-image', 'The image is damaged or cannot be decoded. Render it again.', cause);
}
