// For specs of code that reads an image from a file: the file as the code sees it.
import { open, writeFile, type FileHandle } from 'node:fs/promises';
import { FileBytes } from '../../lib/bytes/image-bytes.js';

/** The bytes of a file that a spec has opened. The spec closes it. */
export class OpenedBytes extends FileBytes {
  readonly path: string;
  readonly length: number;
  readonly #handle: FileHandle;

  constructor(path: string, handle: FileHandle, length: number) {
    super();
    this.path = path;
    this.length = length;
    this.#handle = handle;
  }

  async read(buffer: Uint8Array, position: number): Promise<number> {
    return (await this.#handle.read(buffer, 0, buffer.byteLength, position)).bytesRead;
  }
}

/** Writes a file, and opens it while it is used. */
export async function withFile<Result>(
  path: string,
  bytes: Buffer,
  use: (file: OpenedBytes) => Promise<Result>,
): Promise<Result> {
  await writeFile(path, bytes);
  const handle = await open(path);
  try {
    return await use(new OpenedBytes(path, handle, bytes.length));
  } finally {
    await handle.close();
  }
}
