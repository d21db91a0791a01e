// The entry point `express-image-save/store-tests`: the tests that every store must pass.
export {
  storeTests,
  type StoreFixture,
  type StoreTest,
  type StoreTestOptions,
} from './stores/conformance.js';
export type {
  ImageStore,
  PrepareOptions,
  PublishResult,
  SaveTarget,
  TempFile,
  InspectedImage,
} from './stores/types.js';
