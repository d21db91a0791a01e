// What temporary files are called, and the removal of those that killed processes left behind.
import { randomUUID } from 'node:crypto';
import { opendir } from 'node:fs/promises';
import { fsCalls } from './fs.js';

/** What every temporary file of ours is called. */
const TEMP_FILE_PATTERN = /^\.image-save-[0-9a-f]{32}\.tmp$/;

/** 122 random bits: nobody can guess the name and put a link in its place. */
export function temporaryName(): string {
  return `.image-save-${randomUUID().replaceAll('-', '')}.tmp`;
}

/** A folder, by where it is and by how its entries are reached. */
export interface SweepableDir {
  readonly path: string;
  join(entry: string): string;
}

/** How many folders are remembered as swept; the oldest are forgotten first and then swept once more. */
const MAX_TRACKED_DIRS = 10_000;

/** One for each middleware. */
export class StaleFileSweeper {
  readonly #maxAge: number;
  /** The path of each folder → when it was swept last, milliseconds since 1970. */
  readonly #swept = new Map<string, number>();

  /** @param maxAge Milliseconds after which a temporary file can belong to no save that still runs. */
  constructor(maxAge: number) {
    this.#maxAge = maxAge;
  }

  /** Sweeps a folder that is due: one not seen yet, or not since what was too young then has come of age. Never fails. */
  async sweep(folder: SweepableDir): Promise<void> {
    const now = Date.now();
    if (now - (this.#swept.get(folder.path) ?? 0) < this.#maxAge) return;
    this.#swept.delete(folder.path);
    this.#swept.set(folder.path, now);
    const [oldest] = this.#swept.keys();
    if (this.#swept.size > MAX_TRACKED_DIRS && oldest !== undefined) this.#swept.delete(oldest);
    try {
      for await (const { name } of await opendir(folder.join('.'))) {
        // One that cannot be removed, or that somebody else has just removed, is no reason to stop.
        if (TEMP_FILE_PATTERN.test(name))
          await this.#removeIfOld(folder.join(name), now).catch(() => undefined);
      }
    } catch {
      // A folder that cannot be listed now is looked at again when it is due.
    }
  }

  async #removeIfOld(path: string, now: number): Promise<void> {
    const stats = await fsCalls.lstat(path);
    if (stats.isFile() && now - stats.mtimeMs > this.#maxAge) await fsCalls.unlink(path);
  }
}
