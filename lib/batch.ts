// The entry point `express-image-save/batch`.
export { saveAll } from './batch/save-all.js';
export type { SaveAllOptions, SaveJob, SaveResult } from './batch/types.js';
