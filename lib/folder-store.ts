// Saves to a folder: a temporary file next to the name → the name, all or nothing.
import type { IncomingMessage } from 'node:http';
import { disk } from './disk.js';
import { SaveError, fileSystemError, systemCode } from './errors.js';
import { SpoolFile } from './spool.js';
import type { ImageStore, Place, PlaceWish, Published, WholeImage } from './store.js';
import { temporaryName, type Sweeper } from './sweeper.js';
import { fileExists, openTarget, type Folder, type Target } from './target.js';

/**
 * A store that keeps images as files below a folder.
 *
 * @param chooseFolder Returns an absolute path, or an empty one where saving is disabled.
 * @param sweeper Removes what killed processes have left in a folder that is saved to.
 */
export function folderStore(
  chooseFolder: (req: IncomingMessage) => string | Promise<string>,
  sweeper: Sweeper,
): ImageStore {
  return {
    async findPlace(name, wish) {
      const savePath = await savePathOf(wish.req, chooseFolder);
      wish.signal.throwIfAborted();
      const target = await openTarget(savePath, name.split('/'), wish);
      return new PlaceInFolder(target, wish, sweeper.sweep(target.folder));
    },
  };
}

async function savePathOf(
  req: IncomingMessage,
  chooseFolder: (req: IncomingMessage) => string | Promise<string>,
): Promise<string> {
  try {
    const savePath = await chooseFolder(req);
    if (savePath !== '') return savePath;
  } catch (error) {
    throw new SaveError('save-path-missing', 'No save folder was found for this request.', error);
  }
  throw new SaveError('saving-disabled', 'This server saves no images. Its operator can set a save folder.');
}

/** An entry of a folder that is held open. */
export class PlaceInFolder implements Place {
  /** In the folder of the target: the same file system, so that the rename cannot fail across devices. */
  readonly spool: SpoolFile;
  readonly #target: Target;
  readonly #wish: Pick<PlaceWish, 'overwrite' | 'durable'>;
  readonly #swept: Promise<void> | undefined;

  constructor(target: Target, wish: Pick<PlaceWish, 'overwrite' | 'durable'>, swept?: Promise<void>) {
    const { folder } = target;
    this.#target = target;
    this.#wish = wish;
    this.#swept = swept;
    // Whoever swaps the folder for a link between the first look and the first byte gets no file.
    this.spool = new SpoolFile(folder.at(temporaryName()), 0o666, () => checkStillThere(folder));
  }

  async publish(image: Pick<WholeImage, 'bytes'>, lastLook: () => void): Promise<Published> {
    try {
      return await this.#publish(image, lastLook);
    } catch (error) {
      throw fileSystemError(error);
    }
  }

  /** In the order that keeps the promise: everything on the disk first, then the name, then the folder's entry. */
  async #publish({ bytes }: Pick<WholeImage, 'bytes'>, lastLook: () => void): Promise<Published> {
    const { folder, entry } = this.#target;
    const { overwrite, durable } = this.#wish;
    if (Buffer.isBuffer(bytes)) await this.spool.write([bytes]);
    const lastUpdated = await this.spool.finish(durable);
    await checkStillThere(folder);
    lastLook();
    if (overwrite) {
      await disk.rename(this.spool.path, folder.at(entry));
      this.spool.keep();
    } else {
      await linkExclusively(this.spool.path, folder.at(entry));
    }
    // The image is published: a flush that fails now cannot make that untrue.
    const fault = durable ? await folder.flush().catch((error: unknown) => error) : undefined;
    return { lastUpdated, fault };
  }

  async close(): Promise<void> {
    await Promise.all([this.spool.discard(), this.#swept]);
    this.#target.folder.close();
  }
}

async function checkStillThere(folder: Folder): Promise<void> {
  if (await folder.isStillThere()) return;
  throw new SaveError('folder-changed', 'The folder was moved or removed during the save. Try again.');
}

async function linkExclusively(from: string, to: string): Promise<void> {
  try {
    await disk.link(from, to);
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
