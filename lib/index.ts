// The exports of the package.
import { imageSave } from './hosts/middleware.js';

export { imageSave };
// Written out, so that `require` finds `exports.default`.
export default imageSave;
export type { ImageSaveMiddleware, Next } from './hosts/middleware.js';
export * from './hosts/image-saver.js';
export type { ImageSaveOptions } from './save/options.js';
export type { SaveRecord, SaveStage, StageTimes } from './save/save-record.js';
export { saveOf } from './hosts/save-of.js';
export type { Save } from './save/exchange.js';
export { SaveError, isRetryable, type ErrorDetails, type SaveErrorCode } from './errors.js';
export * from './protocol/parse-reply.js';
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
