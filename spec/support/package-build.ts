// The package, built once for all specs: programs start sooner from it than from the sources.
import { execFileSync } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';

const SOURCES = ['lib', 'demo', 'scripts/build.mjs', 'package.json', 'tsconfig.json', 'tsconfig.build.json'];
const VARIABLE = 'IMAGE_SAVE_BUILD';

/** Has the package built before the specs run. Jest's workers inherit where it is. */
export default function setUp(): void {
  process.env[VARIABLE] = build();
}

/** A directory with `package.json` and `dist` as they are published. */
export function packageBuild(): string {
  return (process.env[VARIABLE] ??= build());
}

function build(): string {
  const cache = join(process.cwd(), 'node_modules/.cache/express-image-save');
  const directory = join(cache, hashOf(SOURCES));
  if (existsSync(directory)) return directory;
  removeOldBuilds(cache);
  // Another run of the specs may build at the same time, or use a build of other sources.
  const ours = join(cache, randomUUID());
  execFileSync(process.execPath, ['scripts/build.mjs', '--noCheck', '--outDir', join(ours, 'dist')], {
    stdio: 'inherit',
  });
  cpSync('package.json', join(ours, 'package.json'));
  try {
    renameSync(ours, directory);
  } catch (error) {
    rmSync(ours, { recursive: true });
    if (!existsSync(directory)) throw error;
  }
  return directory;
}

function hashOf(paths: readonly string[]): string {
  const hash = createHash('sha256');
  for (const path of paths) {
    const files = statSync(path).isFile()
      ? [path]
      : readdirSync(path, { recursive: true, encoding: 'utf8' })
          .sort()
          .map((name) => join(path, name))
          .filter((file) => statSync(file).isFile());
    for (const file of files) hash.update(`${file}\0`).update(readFileSync(file)).update('\0');
  }
  return hash.digest('hex').slice(0, 16);
}

function removeOldBuilds(cache: string): void {
  mkdirSync(cache, { recursive: true });
  const yesterday = Date.now() - 24 * 60 * 60 * 1000;
  for (const name of readdirSync(cache)) {
    const path = join(cache, name);
    if (statSync(path).mtimeMs < yesterday) rmSync(path, { recursive: true, force: true });
  }
}
