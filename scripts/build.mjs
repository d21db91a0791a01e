// Builds lib/ into dist/: once, as CommonJS, with a thin entry point for `import`. So a process has one copy of the code
// for `import` and `require`.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';

const require = createRequire(import.meta.url);
const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const args = process.argv.slice(2);
const { values } = parseArgs({ args, options: { outDir: { type: 'string' } }, strict: false });
const dist = resolve(values.outDir ?? join(root, 'dist'));

rmSync(dist, { recursive: true, force: true });
mkdirSync(dist, { recursive: true });
// The sources are ES modules; the build is CommonJS.
writeFileSync(join(dist, 'package.json'), `${JSON.stringify({ type: 'commonjs' })}\n`);
execFileSync(
  process.execPath,
  // Arguments go to the compiler: specs pass --outDir, and --noCheck, which takes half the time.
  [require.resolve('typescript/bin/tsc'), '-p', join(root, 'tsconfig.build.json'), ...args],
  { stdio: 'inherit' },
);

await bundlePrograms();
for (const folder of ['page', 'pictures'])
  cpSync(join(root, 'demo', folder), join(dist, 'demo', folder), { recursive: true });

// One entry point for each entry of `exports` in package.json. By name: for Bun, the default of a CommonJS module that has
// been compiled is its `exports.default`.
for (const entry of ['index', 'fetch', 'sign', 's3', 'store-tests', 'batch']) {
  const all = Object.keys(require(join(dist, `${entry}.js`)));
  const names = all.filter((name) => name !== 'default');
  const from = `from './${entry}.js';\n`;
  const exportDefault = all.includes('default') ? `export { imageSave as default } ${from}` : '';
  writeFileSync(join(dist, `${entry}.mjs`), `export { ${names.join(', ')} } ${from}${exportDefault}`);
  writeFileSync(join(dist, `${entry}.d.mts`), `export * ${from}${exportDefault}`);
}

/**
 * The batch client and the demo are bundled with the libraries that only they need, so that an application which mounts
 * the middleware neither installs nor loads them. Their licences go along.
 */
async function bundlePrograms() {
  const common = {
    absWorkingDir: root,
    bundle: true,
    platform: 'node',
    target: 'node20.19',
    charset: 'utf8',
    metafile: true,
    logLevel: 'warning',
  };
  const batch = await build({
    ...common,
    entryPoints: ['lib/batch.ts', 'lib/cli.ts'],
    outdir: dist,
    format: 'cjs',
    // A dependency of the package, which is installed in any case.
    external: ['properties-file'],
  });
  const demo = await build({
    ...common,
    entryPoints: ['demo/main.ts'],
    outfile: join(dist, 'demo/main.mjs'),
    format: 'esm',
    external: ['sharp'],
    plugins: [{ name: 'package', setup: useBuiltPackage }],
  });
  const packages = new Set(
    Object.keys({ ...batch.metafile.inputs, ...demo.metafile.inputs }).flatMap(
      (file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? [],
    ),
  );
  const licences = [...packages].sort().map((folder) => {
    const path = join(root, folder);
    const { name, version } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8'));
    const file = readdirSync(path).find((each) => /^licen[cs]e/i.test(each));
    if (file === undefined) throw new Error(`${name} has no file with its licence`);
    return `${name} ${version}\n\n${readFileSync(join(path, file), 'utf8').trim()}\n`;
  });
  const head =
    'The programs express-image-save (cli.js) and its demo (demo/main.mjs) contain these packages:\n';
  writeFileSync(join(dist, 'THIRD-PARTY-LICENSES.txt'), [head, ...licences].join(`\n${'-'.repeat(80)}\n\n`));
  // What the bundles contain.
  for (const file of readdirSync(join(dist, 'batch'), { recursive: true, encoding: 'utf8' })) {
    if (file.endsWith('.js')) rmSync(join(dist, 'batch', file));
  }
  for (const unused of ['batch/cli', 'cli.d.ts']) rmSync(join(dist, unused), { recursive: true });
}

/** The demo uses the built package instead of bundling a copy of it. */
function useBuiltPackage({ onResolve }) {
  onResolve({ filter: /^\.\.\/lib\/index\.js$/ }, () => ({ path: '../index.mjs', external: true }));
}
