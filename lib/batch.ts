// The entry point `express-image-save/batch`.
export { saveAll } from './batch/engine.js';
export type { SaveAllOptions, SaveJob, SaveResult } from './batch/types.js';
