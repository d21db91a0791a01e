// Saves to a folder: a temporary file next to the name → the name, all or nothing.
import type { IncomingMessage } from 'node:http';
import { fsCalls } from '../../temp-files/fs.js';
import { SaveError, fileSystemError, systemCode } from '../../errors.js';
import { DiskTempFile } from '../../temp-files/temp-file.js';
import type { ImageStore, SaveTarget, PrepareOptions, PublishResult, InspectedImage } from '../types.js';
import { temporaryName, type StaleFileSweeper } from '../../temp-files/stale-files.js';
import { fileExists, openTarget, type DirectoryHandle, type ResolvedPath } from './target.js';

/**
 * A store that keeps images as files below a folder.
 *
 * @param resolveSavePath Returns an absolute path, or an empty one where saving is disabled.
 * @param sweeper Removes what killed processes have left in a folder that is saved to.
 */
export function folderStore(
  resolveSavePath: (req: IncomingMessage) => string | Promise<string>,
  sweeper: StaleFileSweeper,
): ImageStore {
  return {
    async prepare(name, wish) {
      const savePath = await readSavePath(wish.req, resolveSavePath);
      wish.signal.throwIfAborted();
      const target = await openTarget(savePath, name.split('/'), wish);
      return new FolderTarget(target, wish, sweeper.sweep(target.directory));
    },
  };
}

async function readSavePath(
  req: IncomingMessage,
  resolveSavePath: (req: IncomingMessage) => string | Promise<string>,
): Promise<string> {
  try {
    const savePath = await resolveSavePath(req);
    if (savePath !== '') return savePath;
  } catch (error) {
    throw new SaveError('save-path-missing', 'No save folder was found for this request.', error);
  }
  throw new SaveError('saving-disabled', 'This server saves no images. Its operator can set a save folder.');
}

/** An entry of a folder that is held open. */
export class FolderTarget implements SaveTarget {
  /** In the folder of the target: the same file system, so that the rename cannot fail across devices. */
  readonly tempFile: DiskTempFile;
  readonly #target: ResolvedPath;
  readonly #options: Pick<PrepareOptions, 'overwrite' | 'durable'>;
  readonly #swept: Promise<void> | undefined;

  constructor(
    target: ResolvedPath,
    wish: Pick<PrepareOptions, 'overwrite' | 'durable'>,
    swept?: Promise<void>,
  ) {
    const { directory } = target;
    this.#target = target;
    this.#options = wish;
    this.#swept = swept;
    // Whoever swaps the folder for a link between the first look and the first byte gets no file.
    this.tempFile = new DiskTempFile(directory.join(temporaryName()), 0o666, () => checkUnmoved(directory));
  }

  async publish(image: Pick<InspectedImage, 'bytes'>, commit: () => void): Promise<PublishResult> {
    try {
      return await this.#publish(image, commit);
    } catch (error) {
      throw fileSystemError(error);
    }
  }

  /** In the order that keeps the promise: everything on the disk first, then the name, then the folder's entry. */
  async #publish({ bytes }: Pick<InspectedImage, 'bytes'>, commit: () => void): Promise<PublishResult> {
    const { directory, basename } = this.#target;
    const { overwrite, durable } = this.#options;
    if (Buffer.isBuffer(bytes)) await this.tempFile.write([bytes]);
    const lastUpdated = await this.tempFile.finish(durable);
    await checkUnmoved(directory);
    commit();
    if (overwrite) {
      await fsCalls.rename(this.tempFile.path, directory.join(basename));
      this.tempFile.markPublished();
    } else {
      await linkExclusively(this.tempFile.path, directory.join(basename));
    }
    // The image is published: a flush that fails now cannot make that untrue.
    const warning = durable ? await directory.sync().catch((error: unknown) => error) : undefined;
    return { lastUpdated, warning };
  }

  async close(): Promise<void> {
    await Promise.all([this.tempFile.discard(), this.#swept]);
    this.#target.directory.close();
  }
}

async function checkUnmoved(folder: DirectoryHandle): Promise<void> {
  if (await folder.isUnmoved()) return;
  throw new SaveError('folder-changed', 'The folder was moved or removed during the save. Try again.');
}

async function linkExclusively(from: string, to: string): Promise<void> {
  try {
    await fsCalls.link(from, to);
  } catch (error) {
    const code = systemCode(error) ?? '';
    if (code === 'EEXIST') throw fileExists(error);
    if (['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'].includes(code)) {
      throw new SaveError(
        'no-hard-links',
        'The save folder cannot promise to keep existing files. Tell the operator of this server.',
        error,
      );
    }
    throw error;
  }
}
