// The entry point `express-image-save/sign`.
export * from './protocol/signer.js';
