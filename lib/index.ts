// The exports of the package.
import { imageSave } from './middleware.js';

export { imageSave };
// Written out, so that `require` finds `exports.default`.
export default imageSave;
// For hosts that write the middleware's type down, and for `onSave`.
export type { ImageSaveMiddleware } from './middleware.js';
export type { Next } from './save/call-renderer.js';
export type { ImageSaveOptions, SaveRecord, SaveStage, StageTimes } from './options.js';
// For renderers.
export { saveOf, type Save } from './save/save-context.js';
// For `onSave`, stores, and clients that retry.
export { SaveError, isRetryable, type ErrorDetails, type SaveErrorCode } from './errors.js';
// For clients and tests.
export { parseReply, type SaveReply } from './protocol/parse-reply.js';
// For authors of stores.
export type {
  ImageStore,
  InspectedImage,
  PrepareOptions,
  PublishOptions,
  PublishResult,
  SaveTarget,
} from './stores/types.js';
export type { ReadableBytes, TempFile } from './bytes/image-bytes.js';
export type { ImageInfo } from './image/types.js';
