// Builds lib/ into dist/: once, as CommonJS, with a thin entry point for `import`. So a process has one copy of the code
// for `import` and `require`, and the image library is loaded by `require`: Node 20.9 cannot load its ES module.
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);
const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const dist = join(root, 'dist');

rmSync(dist, { recursive: true, force: true });
mkdirSync(dist);
// The sources are ES modules; the build is CommonJS.
writeFileSync(join(dist, 'package.json'), `${JSON.stringify({ type: 'commonjs' })}\n`);
execFileSync(
  process.execPath,
  // Arguments go to the compiler: specs that need no types pass --noCheck, which takes half the time.
  [require.resolve('typescript/bin/tsc'), '-p', join(root, 'tsconfig.build.json'), ...process.argv.slice(2)],
  { stdio: 'inherit' },
);

// One entry point for each entry of `exports` in package.json.
for (const entry of ['index', 's3', 'store-tests']) {
  const all = Object.keys(require(join(dist, `${entry}.js`)));
  const names = all.filter((name) => name !== 'default');
  const from = `from './${entry}.js';\n`;
  const hasDefault = all.includes('default');
  writeFileSync(
    join(dist, `${entry}.mjs`),
    `import all ${from}export const { ${names.join(', ')} } = all;\n${hasDefault ? 'export default imageSave;\n' : ''}`,
  );
  writeFileSync(
    join(dist, `${entry}.d.mts`),
    `export * ${from}${hasDefault ? `export { imageSave as default } ${from}` : ''}`,
  );
}
