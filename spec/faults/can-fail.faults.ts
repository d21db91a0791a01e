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
  faults.map((fault) => {
    const { patch, wrappers = [] } = fault;
    const names = [patch ?? wrappers.map(([wrapper]) => wrapper)].flat().join(' and ');
    const does = names.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
    return { ...check, ...fault, does };
  }),
);

test.each(mutants)('$check notices a server that $does', async (mutant) => {
  const { check, does, says, needs = [] } = mutant;
  const reason = whyNot([linux, ...needs]);
  if (reason !== undefined) {
    print(`can fail: ${check}, ${does}: skipped: ${reason}`);
    return;
  }
  const failure = await failureOf(mutant);
  expect(failure).toBeInstanceOf(BrokenPromise);
  expect(String(failure)).toMatch(says);
  print(`can fail: ${check} notices a server that ${does}`);
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
