// The temporary file for an image until it is inspected and published.
import { constants, type BigIntStats } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileBytes, type TempFile } from '../bytes/image-bytes.js';
import { SaveError, fileSystemError, type SaveErrorCode } from '../errors.js';
import { flushFile } from './flush.js';
import { fsCalls, retryWhileInUse } from './fs.js';
import { temporaryName, type StaleFileSweeper } from './stale-files.js';

/** Makes a file in the system's temporary folder. Where that takes no file, `write` rejects with `no-temp-folder`. */
export function createPrivateTempFile(sweeper: StaleFileSweeper): DiskTempFile {
  const path = tmpdir();
  const dir = { path, join: (entry: string): string => join(path, entry) };
  const beforeCreate = (): Promise<void> => sweeper.sweep(dir);
  return new DiskTempFile(dir.join(temporaryName(sweeper.lifetime)), 0o600, beforeCreate, (error) => {
    const reason = fileSystemError(error);
    return BLAMES_NAME.has(reason.code) ? new SaveError('no-temp-folder', {}, error) : reason;
  });
}

/** The reasons that would tell the client to choose another name or folder. */
const BLAMES_NAME: ReadonlySet<SaveErrorCode> = new Set(['folder-missing', 'not-writable', 'name-invalid']);

/** The maximum of one read call on common systems is 2 GiB. */
const MAX_READ_BYTES = 2 ** 30;

/** A new file under an unguessable name. Nothing is on the disk before the first write. */
export class DiskTempFile extends FileBytes implements TempFile {
  length = 0;
  /** Whether the file was renamed to the published image, so that {@link discard} keeps it. */
  renamed = false;
  #opening: Promise<number> | undefined;
  /** Resolves when no call uses the fd. Discarding waits, since the system may give the same fd to another file. */
  #unused: Promise<unknown> = Promise.resolve();
  #discarding: Promise<void> | undefined;
  #closed = false;

  /**
   * @param mode Before the umask.
   * @param beforeCreate Called once. A rejection prevents that the file is created.
   */
  constructor(
    readonly path: string,
    private readonly mode: number,
    private readonly beforeCreate?: () => Promise<void>,
    private readonly toError: (error: unknown) => SaveError = fileSystemError,
  ) {
    super();
  }

  async #open(): Promise<number> {
    await this.beforeCreate?.();
    const { O_CREAT, O_EXCL, O_RDWR, O_NOFOLLOW } = constants;
    // Windows has no O_NOFOLLOW; O_EXCL alone refuses a link there and elsewhere.
    // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition
    return fsCalls.open(this.path, O_CREAT | O_EXCL | O_RDWR | (O_NOFOLLOW ?? 0), this.mode);
  }

  async #use<Result>(call: (fd: number) => Promise<Result>): Promise<Result> {
    if (this.#discarding !== undefined || this.#closed) throw new Error('The temporary file is closed');
    this.#opening ??= this.#open();
    const running = this.#opening.then(call);
    this.#unused = Promise.allSettled([this.#unused, running]).then(() => undefined);
    return running;
  }

  async write(chunks: readonly Uint8Array[]): Promise<void> {
    await this.#use((fd) => this.#writeAll(fd, chunks)).catch((error: unknown) => {
      throw this.toError(error);
    });
  }

  async #writeAll(fd: number, chunks: readonly Uint8Array[]): Promise<void> {
    let rest = chunks.filter((chunk) => chunk.byteLength > 0);
    while (rest.length > 0) {
      const { bytesWritten } = await fsCalls.writev(fd, rest, this.length);
      if (bytesWritten === 0) throw new Error('The file system takes no more bytes');
      this.length += bytesWritten;
      let skip = bytesWritten;
      rest = rest.flatMap((chunk) => {
        const unwritten = chunk.subarray(skip);
        skip -= chunk.byteLength - unwritten.byteLength;
        return unwritten.byteLength === 0 ? [] : [unwritten];
      });
    }
  }

  async read(buffer: Uint8Array, position: number): Promise<number> {
    return this.#use(async (fd) => {
      let total = 0;
      while (total < buffer.byteLength) {
        const count = Math.min(buffer.byteLength - total, MAX_READ_BYTES);
        const { bytesRead } = await fsCalls.read(fd, buffer, total, count, position + total);
        if (bytesRead === 0) break;
        total += bytesRead;
      }
      return total;
    });
  }

  /**
   * Closes the file, and returns its state before.
   *
   * @throws Error The size is wrong, or the file system could not store the bytes after all.
   */
  async finish(flush: boolean): Promise<BigIntStats> {
    const stats = await this.#use(async (fd) => {
      if (flush) await flushFile(fd, this.path);
      const found = await fsCalls.fstat(fd, { bigint: true });
      this.#closed = true;
      // Some file systems report a failed write only here.
      await fsCalls.close(fd);
      return found;
    });
    if (stats.size === BigInt(this.length)) return stats;
    throw new Error(`${stats.size} of ${this.length} bytes are in the file`);
  }

  discard(): Promise<void> {
    return (this.#discarding ??= this.#remove());
  }

  async #remove(): Promise<void> {
    const fd = await this.#opening?.catch(() => undefined);
    if (fd === undefined) return;
    if (!this.renamed) await this.#unlink();
    await this.#unused;
    if (this.#closed) return;
    await fsCalls.close(fd).catch(() => undefined);
    // Drivers of object stores, such as s3fs and rclone, upload a file when it is closed, also one that was removed.
    await this.#unlink();
  }

  /** A file that cannot be removed now is swept later. */
  async #unlink(): Promise<void> {
    await retryWhileInUse(() => fsCalls.unlink(this.path)).catch(() => undefined);
  }
}
