// lib/ and the server under test → plain JavaScript in a temporary folder, as it is or with one mutation.
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { transformSync } from '@swc/core';
import { linkDir } from '../../support/temp-dir.js';
import type { patches, wrappers } from './patches.js';

/** How a server is broken: by a patch when it starts, or by wrappers of exported functions of lib/. */
export interface Mutation {
  readonly patch?: keyof typeof patches;
  readonly wrappers?: readonly Wrapping[];
}

/** The file is one of lib/, which exports the function. */
export type Wrapping = readonly [wrapper: keyof typeof wrappers, file: string, functionName: string];

const SOURCES = ['lib', 'spec/faults/support'];

/** Builds lib/ and the server. Returns the path of the server's program. */
export function build(mutation?: Mutation): string {
  const folder = mkdtempSync(join(tmpdir(), 'image-save-build-'));
  built.push(folder);
  // Servers that run as another user read it too.
  chmodSync(folder, 0o755);
  for (const source of SOURCES) {
    for (const file of readdirSync(source, { recursive: true, encoding: 'utf8' })) {
      if (file.endsWith('.ts')) compile(join(source, file), folder);
    }
  }
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}\n');
  linkDir(resolve('node_modules'), join(folder, 'node_modules'));
  for (const wrapping of mutation?.wrappers ?? []) wrap(folder, wrapping);
  return mutation?.patch === undefined
    ? join(folder, 'spec/faults/support/app.js')
    : writePatched(folder, mutation.patch);
}

function compile(path: string, folder: string): void {
  const { code } = transformSync(readFileSync(path, 'utf8'), {
    filename: path,
    jsc: { target: 'es2022', parser: { syntax: 'typescript' } },
    module: { type: 'es6' },
  });
  const target = join(folder, path.replace(/\.ts$/, '.js'));
  mkdirSync(dirname(target), { recursive: true });
  // The package is CommonJS, where Node gives these to each module.
  const place = /__(?:dir|file)name/.test(code) ? PLACE_OF_MODULE : '';
  writeFileSync(target, place + code);
}

const PLACE_OF_MODULE = 'const { dirname: __dirname, filename: __filename } = import.meta;\n';

/** Writes a program that applies a patch and then starts the server. */
function writePatched(folder: string, patch: string): string {
  const program = join(folder, 'patched.js');
  writeFileSync(
    program,
    `import { fsCalls } from './lib/temp-files/fs.js';
import { patches } from './spec/faults/support/patches.js';
patches.${patch}(fsCalls);
await import('./spec/faults/support/app.js');\n`,
  );
  return program;
}

/** Renames the exported function in its built module, and exports a wrapped one in its place. */
function wrap(folder: string, [wrapper, file, name]: Wrapping): void {
  const path = join(folder, 'lib', file.replace(/\.ts$/, '.js'));
  const source = readFileSync(path, 'utf8');
  const renamed = source.replace(
    new RegExp(`\\bexport (async )?function ${name}\\(`),
    '$1function original(',
  );
  // Without the wrapper, no check would detect the mutation.
  if (renamed === source) throw new Error(`lib/${file} does not export the function ${name}`);
  const toPatches = relative(dirname(path), join(folder, 'spec/faults/support/patches.js'));
  writeFileSync(
    path,
    `import { wrappers } from './${toPatches}';
${renamed}
export function ${name}(...args) { return wrappers.${wrapper}(original)(...args); }\n`,
  );
}

const built: string[] = [];

/** Removes all builds. */
export function removeBuilds(): void {
  for (const folder of built.splice(0)) rmSync(folder, { recursive: true, force: true });
}
