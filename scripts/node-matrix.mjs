// Runs the specs on every Node that is supported: npm run test:matrix [-- 20.19.0 24] [-- 22 -- spec/http]
// Arguments after a second `--` go to jest.
//
// The binaries come from the npm registry's package `node` and are kept in a folder below the system's temporary one.
// Versions are exact or major ones; `newest` is the newest of all.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const VERSIONS = ['20.19.0', '20', '22', '24', 'newest'];

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const cache = join(tmpdir(), 'express-image-save-nodes');
const jest = join(root, 'node_modules', 'jest', 'bin', 'jest.js');

const given = process.argv.slice(2);
const split = given.includes('--') ? given.indexOf('--') : given.length;
const versions = split === 0 ? VERSIONS : given.slice(0, split);
const forJest = given.slice(split + 1);

/** Runs npm, which is a script on Windows. */
function npm(args, cwd) {
  const { status, stdout, stderr, error } = spawnSync('npm', args, {
    cwd,
    encoding: 'utf8',
    shell: process.platform === 'win32',
  });
  if (error ?? status !== 0) throw new Error(`npm ${args.join(' ')}\n${error ?? stderr}`);
  return stdout.trim();
}

/** The exact version that `20`, `20.19.0` or `newest` stands for today. */
function resolve(asked) {
  if (/^\d+\.\d+\.\d+$/.test(asked)) return asked;
  const found = JSON.parse(
    npm(['view', `node@${asked === 'newest' ? 'latest' : asked}`, 'version', '--json']),
  );
  const version = [found].flat().sort(byNumber).at(-1);
  if (version === undefined)
    throw new Error(`There is no Node ${asked}: name a version, as in 20.19.0, or a major one`);
  return version;
}

function byNumber(one, other) {
  return one.localeCompare(other, 'en', { numeric: true });
}

/** The binary of a version, installed the first time that it is asked for. */
function binaryOf(version) {
  const folder = join(cache, version);
  const binary = join(folder, 'node_modules/node/bin', process.platform === 'win32' ? 'node.exe' : 'node');
  const says = () => spawnSync(binary, ['--version'], { encoding: 'utf8' }).stdout?.trim();
  if (existsSync(binary) && says() === `v${version}`) return binary;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{}');
  // The package fetches the binary of this system in a script of its own.
  npm(['install', '--no-audit', '--no-fund', '--ignore-scripts=false', `node@${version}`], folder);
  if (says() !== `v${version}`) throw new Error(`${binary} is not Node ${version}`);
  return binary;
}

/** Runs the specs, counts them and prints the failures. */
function test(version) {
  const binary = binaryOf(version);
  const results = mkdtempSync(join(tmpdir(), 'node-matrix-'));
  const file = join(results, 'results.json');
  try {
    const args = [jest, ...forJest, `--outputFile=${file}`, '--json', '--silent'];
    const { status, stderr } = spawnSync(binary, args, {
      cwd: root,
      encoding: 'utf8',
      // The specs' own children run on the same Node.
      env: { ...process.env, PATH: dirname(binary) + delimiter + process.env.PATH },
      stdio: ['ignore', 'ignore', 'pipe'],
      maxBuffer: 2 ** 28,
    });
    if (!existsSync(file)) throw new Error(stderr);
    const all = JSON.parse(readFileSync(file, 'utf8'));
    for (const suite of all.testResults) {
      if (suite.status === 'failed') console.error(`${suite.name}\n${suite.message}`);
    }
    return {
      ok: status === 0,
      passed: all.numPassedTests,
      failed: all.numFailedTests + all.numRuntimeErrorTestSuites,
      skipped: all.numPendingTests,
    };
  } finally {
    rmSync(results, { recursive: true, force: true });
  }
}

function line(...cells) {
  const columns = cells.map((cell) => String(cell).padEnd(12));
  console.log(columns.join('').trimEnd());
}

line('version', 'passed', 'failed', 'skipped');
for (const asked of versions) {
  let version = asked;
  try {
    version = resolve(asked);
    const { ok, passed, failed, skipped } = test(version);
    line(version, passed, failed, skipped);
    if (!ok) process.exitCode = 1;
  } catch (error) {
    line(version, '-', '-', '-');
    console.error(error.message);
    process.exitCode = 1;
  }
}
