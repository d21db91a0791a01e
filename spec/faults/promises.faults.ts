// Tries to break each promise of lib/ as it is, and prints what it found.
import { checks } from './all-checks.js';
import { build } from './support/build.js';
import { print, whyNot, withFolder } from './support/check.js';

/** `FAULTS_ROUNDS=10 npm run test:faults` repeats every randomised check ten times. */
const ROUNDS = Number(process.env['FAULTS_ROUNDS'] ?? 1);

for (const { check, run, needs = [] } of checks) {
  const reason = whyNot(needs);
  if (reason !== undefined) print(`${check}: skipped: ${reason}`);
  (reason === undefined ? test : test.skip)(check, async () => {
    const times = (usually: number): number => Math.ceil(usually * ROUNDS);
    print(`${check}: ${await withFolder((folder) => run({ app: build(), folder, times }))}`);
  });
}
