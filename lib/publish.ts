// A temporary file → the final name, all or nothing; and the sweeping of what killed processes left behind.
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { link, lstat, open, opendir, rename, unlink, type FileHandle } from 'node:fs/promises';
import { SaveError, fileSystemError, systemCode } from './errors.js';
import { fileExists, type Folder, type Target } from './target.js';

/** How the last step is made. */
export interface PublishOptions {
  /** Replace a file of that name, or leave it and fail. */
  readonly overwrite: boolean;
  /** Flush the file before its rename and the folder after it. */
  readonly durable: boolean;
  /** Called when only the rename is left: throws where it is too late, and from then on nobody may stop the save. */
  readonly lastLook: () => void;
}

/** What became of a published file. */
export interface Published {
  /** The file's modification time, whole milliseconds since 1970. */
  readonly lastUpdated: number;
  /** Why the folder could not be flushed after the file was in place, if it could not. */
  readonly flushFault: unknown;
}

/**
 * A file that nobody else knows of, in the folder of its target: the same file system, so that the rename
 * cannot fail across devices. Nothing is on the disk before the first write.
 */
export class TemporaryFile {
  /** How many bytes have been written. */
  length = 0;
  readonly #folder: Folder;
  /** 128 random bits: nobody can guess the name and put a link in its place. */
  readonly #entry = `.image-save-${randomBytes(16).toString('hex')}.tmp`;
  #opening: Promise<FileHandle> | undefined;
  #discarding: Promise<void> | undefined;
  #renamed = false;

  constructor(folder: Folder) {
    this.#folder = folder;
  }

  /** The file for reading back what was written; only once something was. */
  async open(): Promise<{ path: string; handle: FileHandle }> {
    if (this.#discarding !== undefined) throw new Error('The temporary file has been discarded');
    this.#opening ??= this.#create();
    return { path: this.#folder.at(this.#entry), handle: await this.#opening };
  }

  async #create(): Promise<FileHandle> {
    // Whoever swaps the folder for a link between the first look and now gets no file.
    await checkStillThere(this.#folder);
    const { O_CREAT, O_EXCL, O_RDWR, O_NOFOLLOW } = constants;
    // Windows has no O_NOFOLLOW; O_EXCL alone refuses a link there and elsewhere.
    // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition
    const flags = O_CREAT | O_EXCL | O_RDWR | (O_NOFOLLOW ?? 0);
    return open(this.#folder.at(this.#entry), flags, 0o666);
  }

  /**
   * Appends all bytes of some chunks. A short write is continued; one that makes no progress is an error.
   *
   * @throws SaveError The file could not be made, or not all bytes could be written.
   */
  async write(chunks: readonly Uint8Array[]): Promise<void> {
    try {
      await this.#writeAll(chunks);
    } catch (error) {
      throw fileSystemError(error);
    }
  }

  async #writeAll(chunks: readonly Uint8Array[]): Promise<void> {
    const { handle } = await this.open();
    let rest = chunks.filter((chunk) => chunk.byteLength > 0);
    while (rest.length > 0) {
      const { bytesWritten } = await handle.writev(rest, this.length);
      if (bytesWritten === 0) throw new Error('The file system takes no more bytes');
      this.length += bytesWritten;
      rest = withoutFirst(bytesWritten, rest);
    }
  }

  /**
   * Gives the file its final name, in the order that keeps the promise: everything on the disk first, then the
   * name, then the folder's entry.
   *
   * @throws SaveError What was under the name is still there, whole.
   */
  async publishAs(target: Target, options: PublishOptions): Promise<Published> {
    try {
      return await this.#publish(target, options);
    } catch (error) {
      throw fileSystemError(error);
    }
  }

  async #publish(target: Target, options: PublishOptions): Promise<Published> {
    const { path, handle } = await this.open();
    if (options.durable) await handle.sync();
    const { size, mtimeMs } = await handle.stat();
    if (size !== this.length) throw new Error(`${size} of ${this.length} bytes are in the file`);
    // Some file systems report only here that they could not store what they had taken.
    await handle.close();
    await checkStillThere(target.folder);
    options.lastLook();
    if (options.overwrite) {
      await rename(path, target.folder.at(target.entry));
      this.#renamed = true;
    } else {
      await linkExclusively(path, target.folder.at(target.entry));
    }
    let flushFault: unknown;
    if (options.durable) {
      // The image is published: a flush that fails now cannot make that untrue.
      await target.folder.flush().catch((error: unknown) => {
        flushFault = error;
      });
    }
    return { lastUpdated: Math.floor(mtimeMs), flushFault };
  }

  /** Removes the file, if it has not become the image, and closes it. Never fails; safe to call at any time, twice too. */
  discard(): Promise<void> {
    this.#discarding ??= this.#remove();
    return this.#discarding;
  }

  async #remove(): Promise<void> {
    const handle = await this.#opening?.catch(() => undefined);
    if (handle === undefined) return;
    // What cannot be removed now is swept later.
    if (!this.#renamed) await unlink(this.#folder.at(this.#entry)).catch(() => undefined);
    await handle.close().catch(() => undefined);
  }
}

async function checkStillThere(folder: Folder): Promise<void> {
  if (await folder.isStillThere()) return;
  throw new SaveError('folder-changed', 'The folder was moved or removed during the save. Try again.');
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

async function linkExclusively(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
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

const OUR_TEMPORARY_FILE = /^\.image-save-[0-9a-f]{32}\.tmp$/;

/** How many folders are remembered as swept; the oldest are forgotten first and then swept once more. */
const MOST_SWEPT_FOLDERS = 10_000;

/** Removes from a folder what a killed process left there. One for each middleware. */
export class Sweeper {
  readonly #maxAge: number;
  /** The path of each folder → when it was swept last, milliseconds since 1970. */
  readonly #swept = new Map<string, number>();

  /** @param maxAge Milliseconds after which a temporary file can belong to no save that still runs. */
  constructor(maxAge: number) {
    this.#maxAge = maxAge;
  }

  /** Sweeps a folder that is due: one not seen yet, or not since what was too young then has come of age. Never fails. */
  async sweep(folder: Folder): Promise<void> {
    const now = Date.now();
    if (now - (this.#swept.get(folder.path) ?? 0) < this.#maxAge) return;
    this.#swept.delete(folder.path);
    this.#swept.set(folder.path, now);
    const [oldest] = this.#swept.keys();
    if (this.#swept.size > MOST_SWEPT_FOLDERS && oldest !== undefined) this.#swept.delete(oldest);
    try {
      for await (const { name } of await opendir(folder.at('.'))) {
        // One that cannot be removed, or that somebody else has just removed, is no reason to stop.
        if (OUR_TEMPORARY_FILE.test(name))
          await this.#removeIfOld(folder.at(name), now).catch(() => undefined);
      }
    } catch {
      // A folder that cannot be listed now is looked at again when it is due.
    }
  }

  async #removeIfOld(path: string, now: number): Promise<void> {
    const stats = await lstat(path);
    if (stats.isFile() && now - stats.mtimeMs > this.#maxAge) await unlink(path);
  }
}
