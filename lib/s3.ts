// The entry point `express-image-save/s3`.
export { s3Store } from './stores/s3/s3-store.js';
export type { S3ObjectFields, S3ObjectImage, S3StoreOptions } from './stores/s3/s3-options.js';
