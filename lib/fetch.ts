// The entry point `express-image-save/fetch`: for handlers of the Fetch API.
export * from './hosts/fetch-handler.js';
export { saveOf } from './hosts/save-of.js';
export type { Save } from './save/exchange.js';
