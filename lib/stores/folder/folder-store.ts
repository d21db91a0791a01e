// The store that keeps images as files below a folder.
import { SaveError, fileSystemError } from '../../errors.js';
import { temporaryName, type StaleFileSweeper } from '../../temp-files/stale-files.js';
import type { ImageStore } from '../types.js';
import { FolderTarget } from './folder-target.js';
import { openTarget } from './resolve-path.js';

/**
 * Makes a store that keeps images as files below a folder.
 *
 * @param resolveSavePath Returns an absolute path, or an empty one if saving is disabled.
 * @param sweeper Removes stale temporary files from the folder of each save.
 */
export function folderStore(
  resolveSavePath: (req?: unknown) => string | Promise<string>,
  sweeper: StaleFileSweeper,
): ImageStore {
  return {
    async prepare(name, options) {
      const savePath = await readSavePath(options.req, resolveSavePath);
      options.signal.throwIfAborted();
      return new FolderTarget(await openTarget(savePath, name.split('/'), options), options, sweeper);
    },
    async check(req, options = { overwrite: true, durable: true }) {
      const savePath = await readSavePath(req, resolveSavePath);
      // Under the name of a temporary file, so that it would be swept if the process is killed now.
      const resolved = await openTarget(savePath, [temporaryName(sweeper.lifetime)], options);
      const target = new FolderTarget(resolved, options, sweeper);
      try {
        await target.tempFile.write([Buffer.from('check')]);
        await target.publish({ bytes: target.tempFile }, { commit: () => undefined });
        await target.unpublish();
      } catch (error) {
        throw fileSystemError(error);
      } finally {
        await target.close();
      }
    },
  };
}

async function readSavePath(
  req: unknown,
  resolveSavePath: (req?: unknown) => string | Promise<string>,
): Promise<string> {
  try {
    const savePath = await resolveSavePath(req);
    if (savePath !== '') return savePath;
  } catch (error) {
    throw error instanceof SaveError ? error : new SaveError('save-path-missing', {}, error);
  }
  throw new SaveError('saving-disabled');
}
