// The renderer's view of its save.
import type { ServerResponse } from 'node:http';

/** The save that a renderer renders for. */
export interface Save {
  /** The name of the image, relative to the save folder. */
  readonly name: string;
  /** Aborts when the image is no longer wanted: stop rendering. Its reason is a `SaveError`. */
  readonly signal: AbortSignal;
  /**
   * Refuses the image that the renderer is about to send, such as a placeholder or an error image. The client gets
   * the reason in `error.message`, so keep secrets out of it.
   */
  readonly refuse: (reason?: string) => void;
}

// Registered for the whole process, so that every copy of this package finds the save: a renderer may load another one.
const kSave = Symbol.for('express-image-save.save');

/**
 * The save that a response belongs to, or undefined on an ordinary request.
 *
 * A call that gets the signal rejects when the signal aborts. Express 4 does not catch rejections of async handlers,
 * so catch it as in the example.
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
