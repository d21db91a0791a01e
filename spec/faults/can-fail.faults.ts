// Proves that each check can fail: it runs against a server that breaks the checked promise.
import { checks } from './all-checks.js';
import { build } from './support/build.js';
import { linux, print, whyNot, withFolder } from './support/check.js';
import { setWaitTimeout, BrokenPromise } from './support/assert-promise.js';

// A short wait, because the awaited condition never comes true here.
beforeAll(() => {
  setWaitTimeout(30_000);
});

const mutants = checks.flatMap(({ faults = [], ...check }) =>
  faults.map((fault) => ({ ...check, ...fault })),
);

test.each(mutants)('$check notices a server that $fault', async (mutant) => {
  const { check, fault, says, needs = [] } = mutant;
  const reason = whyNot([linux, ...needs]);
  if (reason !== undefined) {
    print(`can fail: ${check}, ${fault}: skipped: ${reason}`);
    return;
  }
  const failure = await failureOf(mutant);
  expect(failure).toBeInstanceOf(BrokenPromise);
  expect(String(failure)).toMatch(says);
  print(`can fail: ${check} notices a server that ${fault}`);
});

async function failureOf({ run, share = 1, ...mutant }: (typeof mutants)[number]): Promise<unknown> {
  return withFolder(async (folder) => {
    const times = (usually: number): number => Math.ceil(usually * share);
    return run({ app: build(mutant), folder, times }).then(
      (figures) => `It did not fail: ${figures}`,
      (error: unknown) => error,
    );
  });
}
