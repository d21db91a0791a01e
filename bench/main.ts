// `npm run bench`: runs all suites, or those that are named, and prints their tables.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { BenchContext, Library } from './context.js';
import { createImages } from './images.js';
import { writeResults } from './results.js';
import { SUITES } from './suites/index.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    against: { type: 'string' },
    quick: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
  },
});
const names = positionals.length > 0 ? positionals : Object.keys(SUITES);

const dirs: string[] = [];
process.once('exit', () => {
  for (const dir of dirs) rmSync(dir, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));

function createDir(parent: string): string {
  const dir = mkdtempSync(join(parent, 'image-save-bench-'));
  dirs.push(dir);
  return dir;
}

/** Builds the library as it was at a commit, with the packages that are installed now. */
function build(ref: string, dir: string): Library {
  const archive = execFileSync('git', ['archive', ref], { cwd: ROOT, maxBuffer: 2 ** 30 });
  execFileSync('tar', ['-x', '-C', dir], { input: archive });
  symlinkSync(join(ROOT, 'node_modules'), join(dir, 'node_modules'));
  execFileSync(process.execPath, ['scripts/build.mjs'], {
    cwd: dir,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  return { name: `imageSave at ${ref}`, path: join(dir, 'dist', 'index.js') };
}

async function main(): Promise<void> {
  const unknown = names.filter((name) => !Object.hasOwn(SUITES, name));
  if (unknown.length > 0)
    throw new TypeError(`Unknown suite ${unknown.join(', ')}. Use: ${Object.keys(SUITES).join(', ')}`);
  const printed: string[] = [];
  const print = (markdown: string): void => {
    printed.push(markdown);
    process.stdout.write(`${markdown}\n\n`);
  };
  const begin = performance.now();
  // Linux keeps the files of /dev/shm in memory.
  const [memoryParent, diskParent] = [existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), tmpdir()];
  const machine =
    `${new Date().toISOString().slice(0, 10)}, Node ${process.version}, ${process.platform}, ` +
    `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown processor'}; saves to ${memoryParent}, durable ones to ${diskParent}`;
  print(`${machine}.`);
  const own = { name: 'imageSave', path: join(ROOT, 'dist', 'index.js') };
  const against = values.against === undefined ? [] : [build(values.against, createDir(diskParent))];
  const memoryDir = createDir(memoryParent);
  mkdirSync(join(memoryDir, 'images'));
  const context: BenchContext = {
    ...{ libraries: [own, ...against], memoryDir, diskDir: createDir(diskParent) },
    ...{ images: await createImages(join(memoryDir, 'images')), quick: values.quick, print, findings: [] },
  };
  for (const name of names) await SUITES[name]!(context);
  print(`${((performance.now() - begin) / 60_000).toFixed(1)} minutes.`);
  if (values.write) await writeResults(ROOT, printed, context.findings);
}

await main();
process.exit();
