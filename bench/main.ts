// `npm run bench`: runs all suites, or those that are named, and prints their tables.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { BenchContext } from './context.js';
import { createImages } from './images.js';
import { writeResults } from './results.js';
import type { Contestant } from './server.js';
import { batch } from './suites/batch.js';
import { isolation } from './suites/isolation.js';
import { overload } from './suites/overload.js';
import { passThrough } from './suites/pass-through.js';
import { saves } from './suites/saves.js';
import { waiting } from './suites/waiting.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const SUITES = { 'pass-through': passThrough, saves, overload, waiting, isolation, batch };

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    against: { type: 'string' },
    quick: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
  },
});
const unknown = positionals.filter((name) => !Object.hasOwn(SUITES, name));
if (unknown.length > 0)
  throw new TypeError(`Unknown suite ${unknown.join(', ')}. Use: ${Object.keys(SUITES).join(', ')}`);

/** Builds the library as it was at a commit, with the packages that are installed now. */
function build(ref: string, dir: string): Contestant {
  mkdirSync(dir);
  const archive = execFileSync('git', ['archive', ref], { cwd: ROOT, maxBuffer: 2 ** 30 });
  execFileSync('tar', ['-x', '-C', dir], { input: archive });
  symlinkSync(join(ROOT, 'node_modules'), join(dir, 'node_modules'));
  execFileSync(process.execPath, ['scripts/build.mjs'], { cwd: dir, stdio: 'inherit' });
  return { name: `imageSave at ${ref}`, library: join(dir, 'dist', 'index.js') };
}

const printed: string[] = [];
const print = (markdown: string): void => {
  printed.push(markdown);
  process.stdout.write(`${markdown}\n\n`);
};

const begin = performance.now();
// Linux keeps the files of /dev/shm in memory.
const parents = [existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), tmpdir()] as const;
const [memoryDir, diskDir] = parents.map((dir) => mkdtempSync(join(dir, 'image-save-bench-'))) as [
  string,
  string,
];
process.once('exit', () => {
  for (const dir of [memoryDir, diskDir]) rmSync(dir, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));
print(
  `${new Date().toISOString().slice(0, 10)}, Node ${process.version}, ${process.platform}, ` +
    `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown processor'}; ` +
    `saves to ${parents[0]}, durable ones to ${parents[1]}.`,
);
const own = { name: 'imageSave', library: join(ROOT, 'dist', 'index.js') };
const against = values.against === undefined ? [] : [build(values.against, join(diskDir, 'against'))];
await createImages(memoryDir);
const context: BenchContext = {
  libraries: [own, ...against],
  compared: [own, { ...own, name: 'control' }, ...against],
  ...{ memoryDir, diskDir, quick: values.quick, print, findings: [] },
};
for (const [name, run] of Object.entries(SUITES))
  if (positionals.length === 0 || positionals.includes(name)) await run(context);
print(`${((performance.now() - begin) / 60_000).toFixed(1)} minutes.`);
if (values.write) await writeResults(printed, context.findings);
process.exit();
