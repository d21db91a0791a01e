// The entry of a folder that one save publishes: a temporary file is renamed to the final name, all or nothing.
import type { BigIntStats } from 'node:fs';
import { SaveError, fileSystemError, systemCode } from '../../errors.js';
import { fsCalls } from '../../temp-files/fs.js';
import { retryWhileInUse } from '../../temp-files/retry-in-use.js';
import { temporaryName, type StaleFileSweeper } from '../../temp-files/stale-files.js';
import { DiskTempFile } from '../../temp-files/temp-file.js';
import type { InspectedImage, PrepareOptions, PublishOptions, PublishResult, SaveTarget } from '../types.js';
import type { ResolvedPath } from './resolve-path.js';

/** How file systems without hard links refuse one: FAT under Windows with `EISDIR`. */
const NO_HARD_LINKS: ReadonlySet<string | undefined> = new Set([
  'EPERM',
  'ENOTSUP',
  'EOPNOTSUPP',
  'ENOSYS',
  'EMLINK',
  'EISDIR',
]);

/** An entry of an open folder. */
export class FolderTarget implements SaveTarget {
  /** In the folder of the target, so that the rename stays within one file system. */
  readonly tempFile: DiskTempFile;
  readonly #resolved: ResolvedPath;
  readonly #options: Pick<PrepareOptions, 'overwrite' | 'durable'>;
  readonly #swept: Promise<void>;

  /** @param sweeper Starts to sweep the folder, and sets the lifetime of the temporary file. */
  constructor(
    resolved: ResolvedPath,
    options: Pick<PrepareOptions, 'overwrite' | 'durable'>,
    sweeper: StaleFileSweeper,
  ) {
    const { directory } = resolved;
    this.#resolved = resolved;
    this.#options = options;
    this.#swept = sweeper.sweep(directory);
    // Checked again before the first byte: an attacker may have swapped the folder for a link.
    this.tempFile = new DiskTempFile(directory.join(temporaryName(sweeper.lifetime)), 0o666, () =>
      directory.assertUnmoved(),
    );
  }

  /** The path of the final name, for system calls. */
  get #path(): string {
    const { directory, basename } = this.#resolved;
    return directory.join(basename);
  }

  async publish(image: Pick<InspectedImage, 'bytes'>, options: PublishOptions): Promise<PublishResult> {
    try {
      return await this.#publish(image, options);
    } catch (error) {
      throw fileSystemError(error);
    }
  }

  /** In this order, no power cut leaves a broken image: flush the bytes, change the name, flush the folder. */
  async #publish(
    { bytes }: Pick<InspectedImage, 'bytes'>,
    { commit, rollback }: PublishOptions,
  ): Promise<PublishResult> {
    const { directory } = this.#resolved;
    const { overwrite, durable } = this.#options;
    // One write without a stream: an image that is not in the file is in memory.
    if (bytes !== this.tempFile) await this.tempFile.write([await bytes.buffer()]);
    const written = await this.tempFile.finish(durable);
    await retryWhileInUse(async () => {
      await directory.assertUnmoved();
      commit();
      await this.#giveName(written);
    }, rollback);
    if (overwrite) this.tempFile.markPublished();
    // The image is published, so a failed flush is only a warning.
    const warning = durable ? await directory.sync().catch((error: unknown) => error) : undefined;
    return { lastUpdated: Number(written.mtimeMs), warning };
  }

  /** Gives the temporary file its final name, in the one step that publishes. */
  async #giveName(written: BigIntStats): Promise<void> {
    const { overwrite } = this.#options;
    try {
      await (overwrite ? fsCalls.rename : fsCalls.link)(this.tempFile.path, this.#path);
    } catch (error) {
      // The name decides: a remote file system may have lost the answer of a call that succeeded.
      const named = await fsCalls.lstat(this.#path, { bigint: true }).catch(() => undefined);
      if (named !== undefined && isSameFile(named, written)) return;
      const code = systemCode(error);
      if (!overwrite && code === 'EEXIST') throw new SaveError('file-exists', {}, error);
      if (!overwrite && NO_HARD_LINKS.has(code)) throw new SaveError('no-hard-links', {}, error);
      // Windows refuses these as it refuses a file that is in use, but waiting does not help.
      if (named?.isDirectory() === true) throw new SaveError('not-a-file', {}, error);
      if (process.platform === 'win32' && named !== undefined && (named.mode & 0o200n) === 0n)
        throw new SaveError('not-writable', {}, error);
      throw error;
    }
  }

  /** Removes the published image, which was only a check. */
  async unpublish(): Promise<void> {
    await retryWhileInUse(() => fsCalls.unlink(this.#path));
  }

  async close(): Promise<void> {
    await Promise.all([this.tempFile.discard(), this.#swept]);
    this.#resolved.directory.close();
  }
}

/** Never for file systems that number no files. */
function isSameFile(one: BigIntStats, other: BigIntStats): boolean {
  return one.ino === other.ino && one.ino !== 0n && one.dev === other.dev && one.size === other.size;
}
