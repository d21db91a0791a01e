// What a check gets, what it may need, and the line of figures that it prints.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { canMount } from '../../support/run-in-child.js';
import { assertPromise } from './assert-promise.js';
import { removeBuilds } from './build.js';
import { killServers } from './server.js';

/** The environment of a check. */
export interface Run {
  /** The server's program, with or without a fault in it. */
  readonly app: string;
  /** A folder of its own, the path of which holds no links. */
  readonly folder: string;
  /** Scales a number of rounds: more for a long run, fewer to prove that the check can fail. */
  readonly times: (usually: number) => number;
}

/** Tries to break a promise. Returns its figures, in words; throws a `BrokenPromise` where it succeeds. */
export type Check = (run: Run) => Promise<string>;

/** Returns why a need of the check is not met on this system; undefined if it is met. */
export type Need = () => string | undefined;

const runs = (program: string, ...given: string[]): boolean => spawnSync(program, given).status === 0;

export const linux: Need = () =>
  process.platform === 'linux'
    ? undefined
    : 'it needs what only Linux has: /proc, preloaded libraries, inotify';

/** Elsewhere, a name that readers always have open is not replaced: the save is refused with `file-in-use`. */
export const replacesOpenFiles: Need = () =>
  process.platform === 'win32' ? 'Windows does not replace a file that is always open' : undefined;

export const mounting: Need = () =>
  canMount ? undefined : 'no file system may be mounted here (unshare --mount is refused)';

export const tracing: Need = () =>
  runs('strace', '-f', '-e', 'trace=close', 'true') ? undefined : 'strace is missing, or may not trace here';

export const compiling: Need = () =>
  runs('cc', '--version') ? undefined : 'there is no C compiler (cc) for the library that makes calls fail';

export const roomFor =
  (bytes: number): Need =>
  () => {
    const { bavail, bsize } = statfsSync(tmpdir());
    return bavail * bsize > bytes ? undefined : `the temporary folder has no room for ${bytes} bytes`;
  };

/** The same check of a server that saves by `createImageSaver`. */
export const fromCode =
  (run: Check): Check =>
  async (how) => {
    process.env['SAVE_FROM_CODE'] = 'yes';
    try {
      return await run(how);
    } finally {
      Reflect.deleteProperty(process.env, 'SAVE_FROM_CODE');
    }
  };

/** The first of the needs that is not met, in words. */
export function whyNot(needs: readonly Need[]): string | undefined {
  return needs.map((need) => need()).find((reason) => reason !== undefined);
}

/** Runs a function in a folder of its own, then removes its servers, builds and files. */
export async function withFolder<Result>(run: (folder: string) => Promise<Result>): Promise<Result> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'image-save-faults-')));
  try {
    return await run(folder);
  } finally {
    await killServers();
    removeBuilds();
    // Only root can empty a read-only folder.
    spawnSync('chmod', ['-R', 'u+rwX', folder]);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** One line, without the place in the source that `console.log` would add under the test runner. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

export const number = (value: number): string => value.toLocaleString('en');

export const megabytes = (bytes: number): string => `${number(Math.round(bytes / 1e6))} MB`;

/** How often each verdict was given, in words. */
export const countsOf = (tally: Readonly<Record<string, number>>): string =>
  Object.entries(tally)
    .map(([verdict, count]) => `${number(count)} ${verdict}`)
    .join(', ');

/** Holds that a property is true of so many random values. */
export async function assertProperty<T>(property: fc.IAsyncProperty<[T]>, numRuns: number): Promise<void> {
  const result = await fc.check(property, { numRuns });
  assertPromise(!result.failed, `${String(result.errorInstance)}\n${fc.defaultReportMessage(result) ?? ''}`);
}
