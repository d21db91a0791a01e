// For specs on real files: a folder of their own below the system's temporary folder, and what is to be seen of it.
import { mkdtemp, readdir, readlink, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Makes a new folder for each test of the file, and removes it after the test. Call it at the top of a file. */
export function useFolder(): (...parts: string[]) => string {
  let folder = '';
  beforeEach(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), 'image-save-spec-')));
  });
  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
  });
  return (...parts) => join(folder, ...parts);
}

/** Where this process's open descriptors that lead below a folder lead to; only where there is `/proc`. */
export async function descriptorsBelow(folder: string): Promise<string[]> {
  const descriptors = await readdir('/proc/self/fd');
  const paths = await Promise.all(descriptors.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')));
  return paths.filter((path) => path === folder || path.startsWith(`${folder}/`)).sort();
}

/** Some rules can only be seen where files have descriptors that can be looked at and permissions that count. */
export const onLinux = process.platform === 'linux' ? describe : describe.skip;

/** The same for a single test. */
export const testOnLinux = process.platform === 'linux' ? test : test.skip;
