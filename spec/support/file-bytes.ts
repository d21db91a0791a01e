// For specs of code that reads an image from a file: the file as the code sees it.
import type { FileHandle } from 'node:fs/promises';
import type { FileBytes } from '../../lib/image/types.js';
import { readRange, streamFile } from '../../lib/temp-files/readable-bytes.js';

/** The bytes of a file that a spec has opened. The spec closes it. */
export function openedBytes(path: string, handle: FileHandle, length: number): FileBytes {
  return {
    path,
    length,
    read: async (buffer, position) => (await handle.read(buffer, 0, buffer.byteLength, position)).bytesRead,
    stream(start = 0, end = length) {
      return streamFile(this, start, end);
    },
    buffer() {
      return readRange(this, 0, length);
    },
  };
}
