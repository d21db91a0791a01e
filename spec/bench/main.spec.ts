// The bench itself, as far as a run without meaning shows it: it starts, measures, says what it found, and cleans up.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { makeTempDir, removeTempDirs } from '../support/temp-dir.js';

// Starting TypeScript in several processes takes its time on a busy machine.
jest.setTimeout(120_000);
afterEach(removeTempDirs);

function bench(
  args: readonly string[],
  more: NodeJS.ProcessEnv = {},
): { status: number | null; output: string; left: string[] } {
  const folder = makeTempDir();
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--import', 'tsx', 'bench/main.ts', ...args],
    { encoding: 'utf8', env: { ...process.env, TMPDIR: folder, TEMP: folder, TMP: folder, ...more } },
  );
  const left = readdirSync(folder).filter((name) => name.startsWith('image-save-bench-'));
  return { status, output: stdout + stderr, left };
}

test('a quick run of one part measures, prints its table and targets, and leaves nothing', () => {
  const { status, output, left } = bench(['pass-through', '--quick', '--rounds', '1']);
  expect([status, left]).toEqual([0, []]);
  expect(output).toMatch(/^\| bare Express +\| [\d.]+ (µs|ms) /m);
  expect(output).toMatch(/control off by [\d.]+ %/);
  expect(output).toMatch(/^\| the look at a URL \| ≤ 60\.0 ns \| [\d.]+ ns .*\| (met|missed) \|$/m);
});

// Without a PATH there is no Ceph, wherever this runs.
test('a part that misses a program is left out, and what it misses is said', () => {
  const { status, output, left } = bench(['bucket', '--quick', '--rounds', '1'], { PATH: '' });
  expect([status, left]).toEqual([0, []]);
  expect(output).toMatch(/^Left out, since there is no S3 gateway: ceph, .*radosgw.* missing\. Install/m);
});

test.each([
  [['nothing'], 'There is no part nothing'],
  [['checks', '--rounds', '0'], '--rounds takes a whole number, 1 or more'],
])('%j is refused by name', (args, message) => {
  const { status, output } = bench(args);
  expect(status).toBe(1);
  expect(output).toContain(message);
});
