// A check that cannot fail shows nothing: each of them is run against a lib/ that breaks what it checks.
import { variants, type Variant } from './broken/variants.js';
import { build } from './support/build.js';
import { linux, print, whyNot, withFolder } from './support/check.js';
import { bePatientFor, Violation } from './support/hold.js';

// What is waited for here does not come.
beforeAll(() => {
  bePatientFor(10_000);
});

test.each(variants)('$check notices a server that $fault', async (variant) => {
  const { check, fault, says, needs = [] } = variant;
  const reason = whyNot([linux, ...needs]);
  if (reason !== undefined) {
    print(`can fail: ${check}, ${fault}: skipped: ${reason}`);
    return;
  }
  const violation = await failureOf(variant);
  expect(violation).toBeInstanceOf(Violation);
  expect(String(violation)).toMatch(says);
  print(`can fail: ${check} notices a server that ${fault}`);
});

async function failureOf({ run, edit, share = 1 }: Variant): Promise<unknown> {
  return withFolder(async (folder) => {
    const times = (usually: number): number => Math.ceil(usually * share);
    return run({ app: build(edit), folder, times }).then(
      (figures) => `It did not fail: ${figures}`,
      (error: unknown) => error,
    );
  });
}
