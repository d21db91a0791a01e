// The store that keeps images as files below a folder: a temporary file is renamed to the final name, all or nothing.
import { constants, type BigIntStats } from 'node:fs';
import { SaveError, fileSystemError, systemCode } from '../../errors.js';
import { fsCalls, ignoreMissing, retryWhileInUse } from '../../temp-files/fs.js';
import { temporaryName, type StaleFileSweeper } from '../../temp-files/stale-files.js';
import { DiskTempFile } from '../../temp-files/temp-file.js';
import type {
  CheckOptions,
  ImageStore,
  InspectedImage,
  PrepareOptions,
  PublishOptions,
  PublishResult,
} from '../types.js';
import type { DirectoryHandle } from './directory.js';
import { openTarget } from './resolve-path.js';

type OpenOptions = CheckOptions & Partial<PrepareOptions>;

/** @param resolveSavePath Returns an absolute path, or an empty one if saving is disabled. */
export function folderStore(
  resolveSavePath: (req?: unknown) => string | Promise<string>,
  sweeper: StaleFileSweeper,
): ImageStore {
  const open = async (req: unknown, segments: string[], options: OpenOptions): Promise<FolderTarget> => {
    let savePath: string;
    try {
      savePath = await resolveSavePath(req);
    } catch (error) {
      throw error instanceof SaveError ? error : new SaveError('save-path-missing', {}, error);
    }
    if (savePath === '') throw new SaveError('saving-disabled');
    options.signal?.throwIfAborted();
    return folderTarget(await openTarget(savePath, segments, options), options, sweeper);
  };
  return {
    prepare: (name, options) => open(options.req, name.split('/'), options),
    async check(req, options = { overwrite: true, durable: true }) {
      // Under the name of a temporary file, so that it would be swept if the process is killed now.
      const target = await open(req, [temporaryName(sweeper.lifetime)], options);
      try {
        await target.tempFile.write([Buffer.from('check')]);
        await target.publish({ bytes: target.tempFile }, { commit: () => undefined });
        await retryWhileInUse(() => fsCalls.unlink(target.path));
      } catch (error) {
        throw fileSystemError(error);
      } finally {
        await target.close();
      }
    },
  };
}

/** Asks by opening the file, since FUSE shows a file for a while that is no longer there. */
async function isMissing(path: string): Promise<boolean> {
  const fd = await fsCalls.open(path, constants.O_RDONLY).catch(ignoreMissing);
  if (fd !== undefined) await fsCalls.close(fd);
  return fd === undefined;
}

/** How a file system says that it has no such call: drivers of object stores of `rename`, such as Mountpoint for Amazon S3. */
const UNSUPPORTED = ['ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'];

/** How file systems without hard links refuse one: FAT under Windows with `EISDIR`. */
const NO_HARD_LINKS = [...UNSUPPORTED, 'EPERM', 'EMLINK', 'EISDIR'];

/** The entry of an open folder that one save publishes. */
export type FolderTarget = ReturnType<typeof folderTarget>;

/** @param sweeper Starts to sweep the folder, and sets the lifetime of the temporary file. */
export function folderTarget(
  { directory, basename }: { directory: DirectoryHandle; basename: string },
  { overwrite, durable }: CheckOptions,
  sweeper: StaleFileSweeper,
) {
  // For system calls only.
  const path = directory.join(basename);
  const swept = sweeper.sweep(directory);
  // In the folder of the target, so that the rename stays within one file system. The folder is checked again before
  // the first byte: an attacker may have swapped it for a link.
  const tempPath = directory.join(temporaryName(sweeper.lifetime));
  const tempFile = new DiskTempFile(tempPath, 0o666, () => directory.assertUnmoved());

  /** Gives the temporary file its final name, in the one step that publishes. */
  async function giveName(written: BigIntStats): Promise<void> {
    try {
      await (overwrite ? fsCalls.rename : fsCalls.link)(tempPath, path);
    } catch (error) {
      // The name decides: a remote file system may have lost the answer of a call that succeeded.
      const named = await fsCalls.lstat(path, { bigint: true }).catch(() => undefined);
      // Some file systems number no files. Others, by FUSE, number the file anew: there its old name is gone.
      const isSame =
        (written.ino !== 0n && named?.ino === written.ino && named.dev === written.dev) ||
        (overwrite && named?.mtimeNs === written.mtimeNs && (await isMissing(tempPath)));
      if (isSame && named.size === written.size) return;
      const code = systemCode(error) ?? '';
      if (!overwrite && code === 'EEXIST') throw new SaveError('file-exists', {}, error);
      if (!overwrite && NO_HARD_LINKS.includes(code)) throw new SaveError('no-hard-links', {}, error);
      if (UNSUPPORTED.includes(code)) throw new SaveError('not-writable', {}, error);
      // Windows refuses these as it refuses a file that is in use, but waiting does not help.
      if (named?.isDirectory() === true) throw new SaveError('not-a-file', {}, error);
      if (process.platform === 'win32' && named !== undefined && (named.mode & 0o200n) === 0n)
        throw new SaveError('not-writable', {}, error);
      throw error;
    }
  }

  return {
    path,
    tempFile,
    /** In this order, no power cut leaves a broken image: flush the bytes, change the name, flush the folder. */
    async publish({ bytes }: Pick<InspectedImage, 'bytes'>, options: PublishOptions): Promise<PublishResult> {
      try {
        // One write without a stream: an image that is not in the file is in memory.
        if (bytes !== tempFile) await tempFile.write([await bytes.buffer()]);
        const written = await tempFile.finish(durable);
        await retryWhileInUse(async () => {
          await directory.assertUnmoved();
          options.commit();
          await giveName(written);
        }, options.rollback);
        if (overwrite) tempFile.renamed = true;
        // The image is published, so a failed flush is only a warning.
        const warning = durable ? await directory.sync().catch((error: unknown) => error) : undefined;
        return { lastUpdated: Number(written.mtimeMs), warning };
      } catch (error) {
        throw fileSystemError(error);
      }
    },
    async close(): Promise<void> {
      await Promise.all([tempFile.discard(), swept]);
      directory.close();
    },
  };
}
