// What a renderer can learn of the save that it is asked to render for.
import type { ServerResponse } from 'node:http';

/** The save that a response is held for. */
export interface Save {
  /** The name that the image will be saved under, relative to the save path. */
  readonly name: string;
  /** Aborts when nobody waits for the image any more: stop rendering. Its reason is a `SaveError`. */
  readonly signal: AbortSignal;
  /**
   * Says that what is about to be sent, a placeholder or an error image, must not be saved. The client gets the
   * reason in the reply's `error.message`, so it must hold nothing that a client should not read.
   */
  readonly refuse: (reason?: string) => void;
}

// Registered for the whole process, so that the copy of this package that a renderer loads (an installation of its
// own, a test runner's) finds what another copy has left.
const SAVE = Symbol.for('express-image-save.save');

/**
 * The save that a response is held for, or undefined on an ordinary request.
 *
 * @example
 * app.get('/is/image/:id', async (req, res) => {
 *   const image = await render(req.params.id, { signal: saveOf(res)?.signal });
 *   if (image.isPlaceholder) saveOf(res)?.refuse('there is no such picture');
 *   res.type('jpeg').send(image.bytes);
 * });
 */
export function saveOf(res: ServerResponse): Save | undefined {
  return (res as { [SAVE]?: Save })[SAVE];
}

/** Lets {@link saveOf} find a save, for as long as the response exists. */
export function attachSave(res: ServerResponse, save: Save): void {
  Object.defineProperty(res, SAVE, { value: save, configurable: true });
}
