#!/usr/bin/env node
// The program `express-image-save`. The build bundles it with the libraries that only it needs.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { main } from './batch/cli/main.js';

const args = process.argv.slice(2);

if (args[0] === 'demo' && args.length === 1) {
  // Built from demo/ into a file of its own, because only the demo needs `sharp`.
  void import(pathToFileURL(join(__dirname, 'demo/main.mjs')).href).catch((error: unknown) => {
    process.exitCode = 2;
    if (!(error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND')) throw error;
    process.stderr.write(`error: the demo needs sharp: npm install sharp\n`);
  });
} else {
  // Until every job is accounted for. Node also ends when nothing is left to wait for.
  process.exitCode = 2;
  void runBatch();
}

async function runBatch(): Promise<void> {
  const manifest = readFileSync(join(__dirname, '..', 'package.json'), 'utf8');
  process.exitCode = await main({
    args,
    version: (JSON.parse(manifest) as { version: string }).version,
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    onInterrupt(listener) {
      process.on('SIGINT', listener).on('SIGTERM', listener);
      return () => process.off('SIGINT', listener).off('SIGTERM', listener);
    },
    exit: (status) => process.exit(status),
  });
}
