#!/usr/bin/env node
// The program `express-image-save`. The build bundles it with the libraries that only it needs.
import { readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { main } from './batch/cli/main.js';

/** The folder above this file, in the package as in a checkout, has the manifest. */
function readVersion(): string {
  const manifest = join(dirname(program), '..', 'package.json');
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;
}

const program = realpathSync(process.argv[1] ?? '');
const args = process.argv.slice(2);

if (args[0] === 'demo' && args.length === 1) {
  // Built from demo/ into a file of its own, because only the demo needs `sharp`.
  void import(pathToFileURL(join(dirname(program), 'demo/main.mjs')).href).catch((error: unknown) => {
    process.exitCode = 2;
    if (!(error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND')) throw error;
    process.stderr.write(`error: the demo needs sharp: npm install sharp\n`);
  });
} else {
  runBatch();
}

function runBatch(): void {
  main({
    args,
    version: readVersion(),
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    onInterrupt(listener) {
      process.on('SIGINT', listener).on('SIGTERM', listener);
      return () => process.off('SIGINT', listener).off('SIGTERM', listener);
    },
    exit: (status) => process.exit(status),
  }).then(
    (status) => {
      process.exitCode = status;
    },
    (error: unknown) => {
      process.exitCode = 2;
      throw error;
    },
  );
}
