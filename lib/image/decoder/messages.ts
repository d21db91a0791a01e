// The messages between the host and a decoder process: lines of JSON, and after a request the bytes of its image.
import type { SaveErrorCode } from '../../errors.js';
import type { ImageFormat } from '../formats.js';
import type { ImageInfo, InspectOptions } from '../types.js';

/** The fd that connects a decoder process to its host. */
export const CHANNEL_FD = 3;

/** A file, by its current path and its identity, so that a file that replaces it is recognised. */
export interface FileIdentity {
  readonly path: string;
  /** The numbers of `fs.Stats`, in decimal, because they may have 64 bits. */
  readonly dev: string;
  readonly ino: string;
}

/** Host → decoder: an image to be inspected. */
export interface DecodeRequest extends Pick<InspectOptions, 'verify' | 'maxPixels'> {
  /** The format that its first bytes announce. */
  readonly format: ImageFormat;
  /** Bytes of the image. They follow the line, unless the image is in a file. */
  readonly length: number;
  readonly file?: FileIdentity | undefined;
}

/** A {@link SaveError} as sent to another process. */
export interface SentError {
  readonly code: SaveErrorCode;
  readonly message: string;
  readonly cause?: string | undefined;
}

/** Decoder → host: what a request has come to, and the memory of the process now, in bytes. */
export type DecoderReply = { readonly memory: number } & (
  { readonly info: ImageInfo } | { readonly error: SentError }
);

/** Decoder → host: ready, or the error that prevents it; then a reply for each image. */
export type DecoderMessage = { readonly ready: true } | { readonly unable: string } | DecoderReply;
