// What `npm run bench` starts: all parts of the bench, or those that are named.
import { mkdirSync, mkdtempSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { canPlot } from './bars.js';
import type { Part } from './part.js';
import { bucket } from './parts/bucket.js';
import { checks } from './parts/checks.js';
import { growth } from './parts/growth.js';
import { passThrough } from './parts/pass-through.js';
import { renderer } from './parts/renderer.js';
import { saves } from './parts/saves.js';
import { plot } from './plot.js';
import { cleanUp, endPart, Helper, isEnding, removeAtExit } from './processes.js';
import { machine, writeResults } from './results.js';
import { runParts } from './run-parts.js';
import { targetTable, TARGETS } from './targets.js';

const PARTS: Readonly<Record<string, readonly [string, Part]>> = {
  'pass-through': ['Requests that are no saves', passThrough],
  saves: ['Saves of images that are ready', saves],
  renderer: ['Saves behind a real renderer', renderer],
  bucket: ['Saves to a bucket', bucket],
  checks: ['The check that an image is whole', checks],
  growth: ['Growth', growth],
};

/** The contest that writes most, and is emptied at its end, writes so many bytes in each round. */
const DISK_PER_ROUND = 1.6e9;

const say = (text: string): void => {
  process.stdout.write(`${text}\n\n`);
};

function readArguments(): { names: string[]; rounds: number; quick: boolean; only: string } {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rounds: { type: 'string', default: '20' },
      quick: { type: 'boolean', default: false },
      only: { type: 'string', default: '' },
    },
  });
  const unknown = positionals.filter((name) => !Object.hasOwn(PARTS, name));
  const rounds = Number(values.rounds);
  if (unknown.length > 0)
    throw new TypeError(`There is no part ${unknown.join(', ')}; there are ${Object.keys(PARTS).join(', ')}`);
  if (!Number.isSafeInteger(rounds) || rounds < 1)
    throw new TypeError('--rounds takes a whole number, 1 or more');
  return {
    names: positionals.length > 0 ? positionals : Object.keys(PARTS),
    rounds,
    quick: values.quick,
    only: values.only,
  };
}

function checkSpace(folder: string, bytes: number): void {
  const { bavail, bsize } = statfsSync(folder);
  if (bavail * bsize > bytes) return;
  throw new Error(
    `${folder} needs ${Math.ceil(bytes / 1e9)} GB of free space: set TMPDIR to a folder that has it, or take fewer --rounds`,
  );
}

async function main(): Promise<void> {
  const { names, rounds, quick, only } = readArguments();
  const folder = mkdtempSync(join(tmpdir(), 'image-save-bench-'));
  removeAtExit(folder);
  if (names.includes('saves') && !quick) checkSpace(folder, rounds * DISK_PER_ROUND + 1e10);
  const root = join(folder, 'image');
  mkdirSync(root);
  const date = new Date().toISOString().slice(0, 10);
  const command = [
    'npm run bench',
    ...process.argv.slice(2, 3).map(() => '--'),
    ...process.argv.slice(2),
  ].join(' ');
  const where = `${date}, \`${command}\`: ${machine(folder)}.`;
  say(where);
  const parts = names.map((name) => PARTS[name]).filter((part) => part !== undefined);
  const { texts, findings, failed } = await runParts(parts, {
    // A new client for each part: one that failed may have left it in the middle of something.
    begin: (noted) => ({ ...noted, client: new Helper('client.ts'), folder, root, rounds, quick, only }),
    end: endPart,
    isEnding,
    say,
  });
  if (failed) process.exitCode = 1;
  const targets = `### Targets\n\n${targetTable(TARGETS, findings)}`;
  say(targets);
  // Part of the truth, or a run that only tries, must not replace the whole of it.
  if (quick || only !== '' || names.length < Object.keys(PARTS).length) return;
  await writeResults(
    fileURLToPath(new URL('README.md', import.meta.url)),
    [where, targets, ...texts].join('\n\n'),
  );
  if (canPlot(findings)) {
    writeFileSync(fileURLToPath(new URL('../docs/speed.svg', import.meta.url)), plot(findings));
  } else {
    say('None of the ratios in the plot could be said: it stays as it was.');
  }
}

try {
  await main();
} finally {
  await cleanUp();
}
// A child that has just been ended may still hold the process.
process.exit();
