// The entry point `express-image-save/sign`.
export {
  createSigner,
  type SignedCommand,
  type SignedRequest,
  type Signer,
  type SignerKey,
  type SignerOptions,
} from './protocol/signer.js';
