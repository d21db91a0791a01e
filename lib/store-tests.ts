// The entry point `express-image-save/store-tests`: the tests that every store must pass.
export { storeTests } from './stores/store-tests.js';
export type { StoreFixture, StoreTest, StoreTestOptions } from './stores/store-test-harness.js';
export type { ReadableBytes, TempFile } from './bytes/image-bytes.js';
export type {
  ImageStore,
  InspectedImage,
  PrepareOptions,
  PublishOptions,
  PublishResult,
  SaveTarget,
} from './stores/types.js';
