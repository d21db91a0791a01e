// Names of temporary files, and removal of those that killed processes left behind.
import { randomUUID } from 'node:crypto';
import { opendir } from 'node:fs/promises';
import { fsCalls } from './fs.js';

/** The number is the file's lifetime in milliseconds: mounts with other time limits share the folder. */
const TEMP_FILE_PATTERN = /^\.image-save-(\d{1,15})-[0-9a-f]{32}\.tmp$/;

/** Has 122 random bits: an attacker cannot guess the name and put a link in its place. */
export function temporaryName(lifetime: number): string {
  return `.image-save-${lifetime}-${randomUUID().replaceAll('-', '')}.tmp`;
}

export interface SweepableDir {
  readonly path: string;
  /** The path of an entry for system calls: on Linux by the open folder, as `/proc/self/fd/N/entry`. */
  join(entry: string): string;
}

/** Of the swept folders, the oldest is forgotten first, and then swept once more. */
const MAX_TRACKED_DIRS = 10_000;

/** Removes stale temporary files. Each middleware has one. */
export class StaleFileSweeper {
  /** The path of each folder → when it was swept last, milliseconds since 1970. */
  readonly #swept = new Map<string, number>();

  /** @param lifetime Milliseconds after which no save of this middleware can use a temporary file any more. */
  constructor(readonly lifetime: number) {}

  /** Sweeps a folder that was not swept within the last {@link lifetime}. Never rejects. */
  async sweep(dir: SweepableDir): Promise<void> {
    const now = Date.now();
    if (now - (this.#swept.get(dir.path) ?? 0) < this.lifetime) return;
    this.#swept.delete(dir.path);
    this.#swept.set(dir.path, now);
    const [oldest] = this.#swept.keys();
    if (this.#swept.size > MAX_TRACKED_DIRS && oldest !== undefined) this.#swept.delete(oldest);
    try {
      for await (const { name } of await opendir(dir.join('.'))) {
        const lifetime = TEMP_FILE_PATTERN.exec(name)?.[1];
        if (lifetime === undefined) continue;
        // One file that cannot be removed, or that another process has just removed, must not stop the sweep.
        await removeIfOlder(dir.join(name), now - Number(lifetime)).catch(() => undefined);
      }
    } catch {
      // A folder that cannot be listed is tried again at its next sweep.
    }
  }
}

async function removeIfOlder(path: string, time: number): Promise<void> {
  const stats = await fsCalls.lstat(path);
  if (stats.isFile() && stats.mtimeMs < time) await fsCalls.unlink(path);
}
