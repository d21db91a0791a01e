// What the package offers to those who save to an S3 store, and nothing else: express-image-save/s3.
export { s3Store, type S3StoreOptions } from './stores/s3/s3-store.js';
