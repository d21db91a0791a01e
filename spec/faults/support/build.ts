// lib/ and the server under test → plain JavaScript in a temporary folder, as it is or with one fault put in.
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { transformSync } from '@swc/core';

/** A change that breaks a promise: each piece of the source is there exactly once, and another takes its place. */
export interface Edit {
  /** A file of lib/. */
  readonly file: string;
  readonly pieces: readonly (readonly [from: string, to: string])[];
}

const SOURCES = ['lib', 'spec/faults/support'];

/** Builds lib/ and the server. Returns the path of the server's program. */
export function build(edit?: Edit): string {
  const folder = mkdtempSync(join(tmpdir(), 'image-save-build-'));
  built.push(folder);
  // Servers that run as another user read it too.
  chmodSync(folder, 0o755);
  for (const source of SOURCES) {
    for (const file of readdirSync(source, { recursive: true, encoding: 'utf8' })) {
      if (file.endsWith('.ts')) compile(join(source, file), folder, edit);
    }
  }
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}\n');
  symlinkSync(resolve('node_modules'), join(folder, 'node_modules'));
  return join(folder, 'spec/faults/support/app.js');
}

function compile(path: string, folder: string, edit: Edit | undefined): void {
  const source = readFileSync(path, 'utf8');
  const text = edit !== undefined && path === join('lib', edit.file) ? edited(source, edit) : source;
  const { code } = transformSync(text, {
    filename: path,
    jsc: { target: 'es2022', parser: { syntax: 'typescript' } },
    module: { type: 'es6' },
  });
  const target = join(folder, path.replace(/\.ts$/, '.js'));
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, code);
}

function edited(source: string, { file, pieces }: Edit): string {
  return pieces.reduce((text, [from, to]) => {
    const parts = text.split(from);
    // A fault that is not put in would be "not found" by every check.
    if (parts.length !== 2)
      throw new Error(`lib/${file} holds this ${parts.length - 1} times, not once: ${from}`);
    return parts.join(to);
  }, source);
}

const built: string[] = [];

/** Removes what was built. */
export function removeBuilds(): void {
  for (const folder of built.splice(0)) rmSync(folder, { recursive: true, force: true });
}
