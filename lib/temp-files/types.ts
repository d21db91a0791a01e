// The interface of a temporary file.
import type { FileBytes } from '../image/types.js';

/** A file that collects the bytes of an image. Nothing is on the disk before the first write. */
export interface TempFile extends FileBytes {
  /**
   * Appends all bytes of some chunks.
   *
   * @throws SaveError The file could not be created, or not all bytes could be written.
   */
  write(chunks: readonly Uint8Array[]): Promise<void>;
  /**
   * Closes the file, and removes it unless it has become the published image. Never rejects. May be called at any
   * time, also during another call, and more than once.
   */
  discard(): Promise<void>;
}
