// A user's project: the built package, its peers, and programs that run in the project.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { packageBuild } from './package-build.js';
import { linkDir, makeTempDir, useTempDir } from './temp-dir.js';

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);

/** Whether it runs on this Node. As its package.json says: ^22.15.0 || ^24.0.0 || >=26.0.0. */
export const runsHttpProxyMiddleware4 = (major === 22 && minor >= 15) || major === 24 || major >= 26;

const root = process.cwd();
const freePort = join(root, 'spec/support/on-a-free-port.mjs');

/** Where a package is installed: for all specs, or for those of `spec/integration` alone. */
export function installed(name: string): string {
  const own = join(root, 'spec/integration/node_modules', name);
  return existsSync(own) ? own : join(root, 'node_modules', name);
}

/** Creates a project with these packages and with `express-image-save` built from the current sources. */
export function makeProject(packages: string[]): string {
  const project = makeTempDir();
  const modules = join(project, 'node_modules');
  const usual =
    'typescript esbuild commander cli-progress @types/cli-progress @types/node properties-file sharp express';
  for (const name of [...usual.split(' '), '@aws-sdk/client-s3', ...packages]) {
    mkdirSync(join(modules, name, '..'), { recursive: true });
    linkDir(installed(name), join(modules, name));
  }
  for (const part of ['dist', 'package.json']) {
    cpSync(join(packageBuild(), part), join(modules, 'express-image-save', part), { recursive: true });
  }
  // Without one, Node would look for the project's in the directories above.
  writeFileSync(join(project, 'package.json'), '{ "private": true }\n');
  return project;
}

export interface Program {
  /** Its URL without a slash at the end. */
  readonly url: string;
  readonly port: number;
  /** Its output so far, of both streams. */
  readonly output: () => string;
  /** Resolves as soon as its output matches. */
  readonly printed: (pattern: RegExp) => Promise<void>;
  readonly kill: (signal: NodeJS.Signals) => void;
  /** Resolves to its exit code when it has ended, or to the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
}

export interface Surroundings {
  readonly cwd: string;
  readonly env?: Record<string, string>;
  /** Modules to load first. */
  readonly preload?: string[];
}

const children: ChildProcess[] = [];

function launch(file: string, { cwd, env = {}, preload = [] }: Surroundings): ChildProcess {
  const imports = [freePort, ...preload].map((path) => `--import=${pathToFileURL(path).href}`);
  const child = fork(file, {
    cwd,
    env: { ...process.env, NODE_OPTIONS: '', ...env },
    execArgv: imports,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  children.push(child);
  return child;
}

/** Collects what a program prints. */
function listenTo(child: ChildProcess): () => string {
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  return () => output;
}

/** Starts a program that serves on port 3000, on a free port instead; {@link stopPrograms} stops it. */
export async function startProgram(file: string, surroundings: Surroundings): Promise<Program> {
  const child = launch(file, surroundings);
  const output = listenTo(child);
  const ended = once(child, 'close').then(([code, signal]: (number | NodeJS.Signals)[]) => code ?? signal!);
  const endedTooSoon = ended.then((code) => {
    throw new Error(`${file} ended with ${code}:\n${output()}`);
  });
  endedTooSoon.catch(() => undefined);
  const [{ port }] = (await Promise.race([once(child, 'message'), endedTooSoon])) as [{ port: number }];
  const printed = async (pattern: RegExp): Promise<void> => {
    while (!pattern.test(output())) {
      const waiting = new AbortController();
      const next = [child.stdout!, child.stderr!].map(async (stream) => once(stream, 'data', waiting));
      await Promise.race([...next, endedTooSoon]).finally(() => {
        waiting.abort();
      });
    }
  };
  const kill = (signal: NodeJS.Signals): void => void child.kill(signal);
  return { url: `http://127.0.0.1:${port}`, port, output, printed, kill, ended };
}

/** Runs a program to its end and returns what it printed. */
export async function runProgram(file: string, surroundings: Surroundings): Promise<string> {
  const child = launch(file, surroundings);
  const output = listenTo(child);
  await once(child, 'close');
  return output();
}

export async function stopPrograms(): Promise<void> {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
}

export interface Project {
  /** The path of a file of the project. */
  readonly file: (...segments: string[]) => string;
  /** The path of a file in the working directory, which has a folder `saved`. */
  readonly cwd: (...segments: string[]) => string;
  /** Starts a program of the project in the working directory. */
  readonly start: (name: string, more?: Omit<Surroundings, 'cwd'>) => Promise<Program>;
  /** Runs one to its end and returns what it printed. */
  readonly run: (name: string, more?: Omit<Surroundings, 'cwd'>) => Promise<string>;
}

/**
 * Makes a project for a file, with the recipes in it, and a working directory for each of its tests. Stops what a test
 * has started. Call it at the top of a file.
 */
export function useProject(packages: string[] = []): Project {
  let project = '';
  const cwd = useTempDir();
  beforeAll(() => {
    project = makeProject(packages);
    cpSync('docs/recipes', project, { recursive: true });
  });
  beforeEach(() => {
    mkdirSync(cwd('saved'));
  });
  afterEach(stopPrograms);
  return {
    file: (...segments) => join(project, ...segments),
    cwd,
    start: (name, more) => startProgram(join(project, name), { cwd: cwd(), ...more }),
    run: (name, more) => runProgram(join(project, name), { cwd: cwd(), ...more }),
  };
}
