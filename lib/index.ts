// What the package offers, and nothing else.
import { imageSave } from './image-save.js';

export { imageSave };
// Written out, so that `require` finds `exports.default`.
export default imageSave;
// For hosts that write the middleware's type down, and for those who observe saves.
export type { ImageSaveMiddleware, Next } from './image-save.js';
export type { ImageSaveOptions, SaveRecord } from './options.js';
// For renderers.
export { saveOf, type Save } from './save-of.js';
// For whoever handles the reasons: `onSave`, the signal's reason.
export { SaveError, type SaveErrorCode } from './errors.js';
// For clients and their tests.
export { parseReply, type SaveReply } from './reply.js';
// For those who write a store.
export type { ImageStore, Place, PlaceWish, Published, Spool, WholeImage } from './store.js';
export type { ImageBytes, ImageFacts, SpooledBytes } from './image.js';
