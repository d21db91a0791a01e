// Runs JavaScript in a process of its own, for specs of its user, its umask and its mounts.
import { execFile, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { packageBuild } from './package-build.js';

/** The id of the user `nobody` on Linux. */
const NOBODY = 65534;

/** Gives a command mounts that end with it and that no other process sees. */
const WITH_OWN_MOUNTS = ['unshare', '--mount', ...(process.getuid?.() === 0 ? [] : ['--map-root-user'])];

/** Whether this user may create mounts for a child alone. Many containers forbid it. */
export const canMount =
  spawnSync(WITH_OWN_MOUNTS[0]!, [...WITH_OWN_MOUNTS.slice(1), 'mount', '-t', 'tmpfs', 'none', '/mnt'])
    .status === 0;

/** The command, with its first arguments, that starts another one with a new tmpfs at a folder. */
export const underMount = (at: string, options: string): readonly string[] => [
  ...WITH_OWN_MOUNTS,
  ...['sh', '-c', 'mount -t tmpfs -o "$1" none "$2" && shift 2 && exec "$@"', 'sh', options, at],
];

/** The address of what a file of lib/ is built into, to be imported by a child. */
export function built(path: string): string {
  const file = join(packageBuild(), path.replace(/^lib/, 'dist').replace(/\.ts$/, '.js'));
  return JSON.stringify(pathToFileURL(file).href);
}

/** The differences of a child's process. */
export interface ChildOptions {
  /** It runs as a user whom permissions stop, even where the specs run as root. */
  readonly unprivileged?: boolean;
  /** Options of Node. */
  readonly nodeOptions?: readonly string[];
  /** It sees an empty file system in memory at this folder, mounted with these options. */
  readonly mount?: { readonly at: string; readonly options: string };
}

/**
 * Runs a module's source text in a process of its own.
 *
 * @returns Its output, parsed as JSON.
 */
export async function runInChild(text: string, options: ChildOptions = {}): Promise<unknown> {
  const demoted = options.unprivileged === true && process.getuid?.() === 0;
  const node = [process.execPath, ...(options.nodeOptions ?? []), '--input-type=module'];
  const mounting = options.mount === undefined ? [] : underMount(options.mount.at, options.mount.options);
  const [program = '', ...given] = [...mounting, ...node];
  const running = promisify(execFile)(program, given, {
    ...(demoted ? { uid: NOBODY, gid: NOBODY } : {}),
  });
  // Not as an argument: Windows limits these to 32 KiB.
  running.child.stdin?.end(text);
  const { stdout } = await running;
  return JSON.parse(stdout) as unknown;
}
