// What a renderer can learn of the save that it renders for.
import type { ServerResponse } from 'node:http';

/** The save that a renderer renders for. */
export interface Save {
  /** The name that the image will be saved under, relative to the save folder. */
  readonly name: string;
  /** Aborts when the image is no longer wanted: stop rendering. Its reason is a `SaveError`. */
  readonly signal: AbortSignal;
  /**
   * Says that the image that is about to be sent, a placeholder or an error image, must not be saved. The client gets
   * the reason in `error.message`, so it must hold nothing that a client should not read.
   */
  readonly refuse: (reason?: string) => void;
}

// Registered for the whole process, so that every copy of this package finds the save: a renderer may load another one.
const kSave = Symbol.for('express-image-save.save');

/**
 * The save that a response belongs to, or undefined on an ordinary request.
 *
 * Whatever is given the signal rejects when that aborts, and Express 4 does not catch what an async handler rejects:
 * catch it, as here.
 *
 * @example
 * app.get('/is/image/:id', async (req, res, next) => {
 *   const save = saveOf(res);
 *   try {
 *     const image = await render(req.params.id, { signal: save?.signal });
 *     if (image.isPlaceholder) save?.refuse('there is no such picture');
 *     res.type('jpeg').send(image.bytes);
 *   } catch (error) {
 *     if (!save?.signal.aborted) next(error); // once it has aborted, the client has its reply
 *   }
 * });
 */
export function saveOf(res: ServerResponse): Save | undefined {
  return (res as { [kSave]?: Save })[kSave];
}

/** Lets {@link saveOf} find a save, for as long as the response exists. */
export function attachSave(res: ServerResponse, save: Save): void {
  Object.defineProperty(res, kSave, { value: save, configurable: true });
}
