// Where images are published: what a folder, an object store and any other keeper of images have in common.
import type { IncomingMessage } from 'node:http';
import type { ImageBytes, ImageInfo, FileBytes } from '../image/types.js';

/**
 * A keeper of images. Before it, names are checked and images inspected, and after it commands are answered: all that
 * a store does is to say whether a name can be saved to, and to put one whole image under it, at once or not at all.
 */
export interface ImageStore {
  /**
   * Finds the place that a name stands for, before an image is rendered for it. What can be known cheaply to fail
   * later is refused here.
   *
   * @param name A legal name: relative, `/` between its parts, none of them empty, hidden or with a `..`.
   * @throws SaveError The name cannot be saved to. Any other error is reported as `internal-error`.
   */
  prepare(name: string, wish: PrepareOptions): Promise<SaveTarget>;
}

/** What is known of a save before its image is there. */
export interface PrepareOptions {
  /** The request that brought the command, for stores that differ from tenant to tenant. */
  readonly req: IncomingMessage;
  /** Replace an image of that name, or leave it and refuse with `file-exists`. */
  readonly overwrite: boolean;
  /** Do not call an image published before it would survive a power cut. */
  readonly durable: boolean;
  /** Aborts when the save has lost its purpose: its time is up, its client has gone, its image was refused. */
  readonly signal: AbortSignal;
}

/** Where one image goes. */
export interface SaveTarget {
  /**
   * Where an image waits to be inspected that is too large for memory. Where a place has none, that is a private
   * file in the system's temporary folder.
   */
  readonly tempFile?: TempFile;

  /**
   * Publishes an image, in one step that nobody can see half done.
   *
   * @param image Inspected and whole.
   * @param lastLook To be called when only that step is left. It throws where the save has lost its purpose: then
   * nothing may change and nothing may be left behind. Once it has returned, nothing stops the save any more, and
   * what is said of it must be the truth. Calling it again does no harm.
   * @throws SaveError What was under the name is still there, whole.
   */
  publish(image: InspectedImage, lastLook: () => void): Promise<PublishResult>;

  /** Called once, when no other step is running any more, however the save has ended. Must not fail. */
  close?(): Promise<void>;
}

/** An image that may be published. */
export interface InspectedImage extends ImageInfo {
  readonly bytes: ImageBytes;
}

/** What became of a published image. */
export interface PublishResult {
  /** The store's own time of the image, whole milliseconds since 1970. */
  readonly lastUpdated: number;
  /** What went wrong after the image was in place, for the operator. */
  readonly warning?: unknown;
}

/** A file in which the bytes of an image gather. Nothing is on the disk before the first write. */
export interface TempFile extends FileBytes {
  /**
   * Appends all bytes of some chunks.
   *
   * @throws SaveError The file could not be made, or not all bytes could be written.
   */
  write(chunks: readonly Uint8Array[]): Promise<void>;
  /** Closes the file, and removes it unless it has become the image. Never fails; may be called at any time, twice too. */
  discard(): Promise<void>;
}
