// What the host and a decoder process say to each other: lines of JSON, and behind a request the bytes of its image.
import type { SaveErrorCode } from '../errors.js';
import type { ImageInfo, InspectOptions } from './types.js';

/** The descriptor by which a decoder process talks to its host. */
export const CHANNEL_FD = 3;

/** A file, by where it is now and by what it is: another one that was put in its place is told apart. */
export interface FileIdentity {
  readonly path: string;
  /** The numbers of `fs.Stats`, in decimal: they may have 64 bits. */
  readonly dev: string;
  readonly ino: string;
}

/** Host → decoder: an image to be inspected. */
export interface DecodeRequest extends Pick<InspectOptions, 'verify' | 'maxPixels'> {
  /** Bytes of the image. They follow the line, unless the image is in a file. */
  readonly length: number;
  readonly file?: FileIdentity | undefined;
}

/** A {@link SaveError} on its way to another process. */
export interface SentError {
  readonly code: SaveErrorCode;
  readonly message: string;
  readonly cause?: string | undefined;
}

/** Decoder → host: first that it is ready, or why it cannot be, then a reply for each image. */
export type DecoderMessage =
  | { readonly ready: true }
  | { readonly unable: string }
  | {
      readonly info?: ImageInfo;
      readonly error?: SentError;
      /** What the process occupies now, in bytes. */
      readonly memory: number;
    };
