#!/usr/bin/env node
// The program `express-image-save`. The build bundles it with the libraries that only it needs.
import { readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { main } from './batch/cli/main.js';

/** The folder above this file, in the package as in a checkout, has the manifest. */
function readVersion(program: string): string {
  const manifest = join(dirname(realpathSync(program)), '..', 'package.json');
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;
}

main({
  args: process.argv.slice(2),
  version: readVersion(process.argv[1] ?? ''),
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
