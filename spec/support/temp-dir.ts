// Directories for specs on real files, below the system's temporary one.
import { lstatSync, mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { readdir, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const made: string[] = [];

/** Makes a directory; {@link removeTempDirs} removes it. */
export function makeTempDir(): string {
  // The real path: on macOS the usual one is a link, and on Windows it is a short form.
  const path = realpathSync.native(mkdtempSync(join(tmpdir(), 'image-save-')));
  made.push(path);
  return path;
}

/** Waits for files that are being closed: Windows keeps a directory whose files are open. */
export async function removeTempDirs(): Promise<void> {
  for (const path of made.splice(0)) await rm(path, { recursive: true, force: true, maxRetries: 10 });
}

/**
 * Makes a new directory for each test of the file, which removes all at its end. Call it at the top of a file.
 *
 * @returns A function that joins the directory and the segments of a path.
 */
export function useTempDir(): (...segments: string[]) => string {
  let path = '';
  beforeEach(() => {
    path = makeTempDir();
  });
  afterAll(removeTempDirs);
  return (...segments) => join(path, ...segments);
}

/** Links to a directory, on Windows by a junction, which needs no special right. */
export function linkDir(target: string, path: string): void {
  symlinkSync(target, path, 'junction');
}

/** The names of all entries of a directory, sorted. */
export function list(path: string): string[] {
  return readdirSync(path).sort();
}

/** The paths of this process's open fds below a directory. Only on systems with `/proc`. */
export async function descriptorsBelow(dir: string): Promise<string[]> {
  const descriptors = await readdir('/proc/self/fd');
  const paths = await Promise.all(descriptors.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')));
  return paths.filter((path) => path === dir || path.startsWith(`${dir}/`)).sort();
}

/** `describe`, for rules that only show where `/proc` lists descriptors and where permissions count. */
export const onLinux = process.platform === 'linux' ? describe : describe.skip;

/** `test`, for the same rules. */
export const testOnLinux = process.platform === 'linux' ? test : test.skip;

/** Whether links can be made here: on Windows that is a right of its own, and Wine has none. */
export const canLink = ((): boolean => {
  const path = makeTempDir();
  try {
    symlinkSync('target', join(path, 'link'));
    // Wine says that it has made the link.
    return lstatSync(join(path, 'link')).isSymbolicLink();
  } catch {
    return false;
  } finally {
    rmSync(path, { recursive: true });
  }
})();

/** `describe` and `test` for links. */
export const withLinks = canLink ? describe : describe.skip;
export const testWithLinks = canLink ? test : test.skip;
