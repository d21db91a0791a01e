// The entry of a folder that one save publishes: a temporary file is renamed to the final name, all or nothing.
import { SaveError, fileSystemError, systemCode } from '../../errors.js';
import { fsCalls } from '../../temp-files/fs.js';
import { retryWhileInUse } from '../../temp-files/retry-in-use.js';
import { temporaryName, type StaleFileSweeper } from '../../temp-files/stale-files.js';
import { DiskTempFile } from '../../temp-files/temp-file.js';
import type { InspectedImage, PrepareOptions, PublishOptions, PublishResult, SaveTarget } from '../types.js';
import type { DirectoryHandle } from './directory.js';
import type { ResolvedPath } from './resolve-path.js';

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
      assertUnmoved(directory),
    );
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
    const { directory, basename } = this.#resolved;
    const { overwrite, durable } = this.#options;
    // One write without a stream: an image that is not in the file is in memory.
    if (bytes !== this.tempFile) await this.tempFile.write([await bytes.buffer()]);
    const lastUpdated = await this.tempFile.finish(durable);
    const publishFile = overwrite ? fsCalls.rename : linkExclusively;
    await retryWhileInUse(async () => {
      await assertUnmoved(directory);
      commit();
      await publishFile(this.tempFile.path, directory.join(basename));
    }, rollback);
    if (overwrite) this.tempFile.markPublished();
    // The image is published, so a failed flush is only a warning.
    const warning = durable ? await directory.sync().catch((error: unknown) => error) : undefined;
    return { lastUpdated, warning };
  }

  async close(): Promise<void> {
    await Promise.all([this.tempFile.discard(), this.#swept]);
    this.#resolved.directory.close();
  }
}

async function assertUnmoved(directory: DirectoryHandle): Promise<void> {
  if (await directory.isUnmoved()) return;
  throw new SaveError('folder-changed');
}

async function linkExclusively(from: string, to: string): Promise<void> {
  try {
    await fsCalls.link(from, to);
  } catch (error) {
    const code = systemCode(error) ?? '';
    if (code === 'EEXIST') throw new SaveError('file-exists', {}, error);
    if (['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'].includes(code)) {
      throw new SaveError('no-hard-links', {}, error);
    }
    throw error;
  }
}
