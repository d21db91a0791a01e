// Lets a renderer find the save that it renders for.
import type { ServerResponse } from 'node:http';
import type { Save } from '../save/exchange.js';

// Registered for the whole process, so that every copy of this package finds the save: a renderer may load another one.
const kSave = Symbol.for('express-image-save.save');

/**
 * The save that a response belongs to, or in a handler of the Fetch API the request; undefined on an ordinary request.
 *
 * @example
 * const save = saveOf(res);
 * const image = await render(req.params.id, { signal: save?.signal });
 * if (image.isPlaceholder) save?.refuse('there is no such picture');
 */
export function saveOf(message: ServerResponse | Request): Save | undefined {
  return (message as { [kSave]?: Save })[kSave];
}

/** Lets {@link saveOf} find a save, for as long as the message exists. */
export function attachSave(message: ServerResponse | Request, save: Save): void {
  Object.defineProperty(message, kSave, { value: save, configurable: true });
}
