// A file in which the bytes of an image gather until somebody has looked at them.
import { constants } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fsCalls } from './fs.js';
import { fileSystemError } from '../errors.js';
import type { TempFile } from '../stores/types.js';
import { temporaryName, type StaleFileSweeper } from './stale-files.js';

/**
 * A file in the system's temporary folder that nobody but its owner may read. What killed processes left there is
 * swept before one is made.
 */
export function createPrivateTempFile(sweeper: StaleFileSweeper): DiskTempFile {
  const path = tmpdir();
  const at = (entry: string): string => join(path, entry);
  return new DiskTempFile(at(temporaryName()), 0o600, () => sweeper.sweep({ path, join }));
}

/** Systems read no more than 2 GiB in one call. */
const MAX_READ_BYTES = 2 ** 30;

/** A new file that nobody else knows of. Nothing is on the disk before the first write. */
export class DiskTempFile implements TempFile {
  length = 0;
  readonly path: string;
  readonly #mode: number;
  readonly #beforeCreate: (() => Promise<void>) | undefined;
  #opening: Promise<number> | undefined;
  /** Calls that have the descriptor. Discarding waits for them: its number could mean another file by then. */
  readonly #running = new Set<Promise<unknown>>();
  #discarding: Promise<void> | undefined;
  #closed = false;
  #published = false;

  /**
   * @param mode The mode of the file, before the umask.
   * @param beforeCreate Called before the file is made; rejects where it may not be made any more.
   */
  constructor(path: string, mode: number, beforeCreate?: () => Promise<void>) {
    this.path = path;
    this.#mode = mode;
    this.#beforeCreate = beforeCreate;
  }

  async #open(): Promise<number> {
    await this.#beforeCreate?.();
    const { O_CREAT, O_EXCL, O_RDWR, O_NOFOLLOW } = constants;
    // Windows has no O_NOFOLLOW; O_EXCL alone refuses a link there and elsewhere.
    // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition
    return fsCalls.open(this.path, O_CREAT | O_EXCL | O_RDWR | (O_NOFOLLOW ?? 0), this.#mode);
  }

  async #use<Result>(call: (fd: number) => Promise<Result>): Promise<Result> {
    if (this.#discarding !== undefined || this.#closed) throw new Error('The temporary file is closed');
    this.#opening ??= this.#open();
    const running = this.#opening.then(call);
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }

  async write(chunks: readonly Uint8Array[]): Promise<void> {
    try {
      await this.#use((fd) => this.#writeAll(fd, chunks));
    } catch (error) {
      throw fileSystemError(error);
    }
  }

  /** A short write is continued; one that makes no progress is an error. */
  async #writeAll(fd: number, chunks: readonly Uint8Array[]): Promise<void> {
    let rest = chunks.filter((chunk) => chunk.byteLength > 0);
    while (rest.length > 0) {
      const { bytesWritten } = await fsCalls.writev(fd, rest, this.length);
      if (bytesWritten === 0) throw new Error('The file system takes no more bytes');
      this.length += bytesWritten;
      rest = withoutFirst(bytesWritten, rest);
    }
  }

  async read(buffer: Uint8Array, position: number): Promise<number> {
    return this.#use(async (fd) => {
      let got = 0;
      while (got < buffer.byteLength) {
        const most = Math.min(buffer.byteLength - got, MAX_READ_BYTES);
        const { bytesRead } = await fsCalls.read(fd, buffer, got, most, position + got);
        if (bytesRead === 0) break;
        got += bytesRead;
      }
      return got;
    });
  }

  /**
   * Closes the file when all its bytes are in it.
   *
   * @param flush Wait until they are on the disk.
   * @returns The file's modification time, whole milliseconds since 1970.
   * @throws Error Some bytes are missing, or the file system could not store them after all.
   */
  async finish(flush: boolean): Promise<number> {
    const { size, mtimeMs } = await this.#use(async (fd) => {
      if (flush) await fsCalls.fsync(fd);
      const stats = await fsCalls.fstat(fd);
      this.#closed = true;
      // Some file systems report only here that they could not store what they had taken.
      await fsCalls.close(fd);
      return stats;
    });
    if (size !== this.length) throw new Error(`${size} of ${this.length} bytes are in the file`);
    return Math.floor(mtimeMs);
  }

  /** The file has become the image: from here on it stays. */
  markPublished(): void {
    this.#published = true;
  }

  discard(): Promise<void> {
    this.#discarding ??= this.#remove();
    return this.#discarding;
  }

  async #remove(): Promise<void> {
    const fd = await this.#opening?.catch(() => undefined);
    if (fd === undefined) return;
    // What cannot be removed now is swept later.
    if (!this.#published) await fsCalls.unlink(this.path).catch(() => undefined);
    await Promise.allSettled(this.#running);
    if (!this.#closed) await fsCalls.close(fd).catch(() => undefined);
  }
}

/** What is left of some chunks once so many bytes of them are written. */
function withoutFirst(bytes: number, chunks: readonly Uint8Array[]): Uint8Array[] {
  const rest: Uint8Array[] = [];
  let skip = bytes;
  for (const chunk of chunks) {
    if (skip < chunk.byteLength) rest.push(chunk.subarray(skip));
    skip = Math.max(0, skip - chunk.byteLength);
  }
  return rest;
}
