// The command as a process of its own.
import { type ChildProcess, fork, spawn, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';

export interface Command {
  readonly child: ChildProcess;
  /** What it has written so far. */
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Its exit status, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
}

const children: ChildProcess[] = [];

export function spawnCommand(program: string, args: readonly string[], options: SpawnOptions = {}): Command {
  return watch(spawn(process.execPath, [program, 'batch', ...args], { stdio: 'pipe', ...options }));
}

/** Collects what a process writes; {@link stopCommands} stops it. */
export function watch(child: ChildProcess): Command {
  children.push(child);
  const texts = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (text: string) => (texts[name] += text));
  }
  const ended = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | NodeJS.Signals);
  return { child, stdout: () => texts.stdout, stderr: () => texts.stderr, ended };
}

/** Starts a server with the middleware. It adds each render to the file `renders`, also across restarts. */
export async function startServer(
  library: string,
  dir: (name: string) => string,
  port = 0,
): Promise<{ child: ChildProcess; port: number }> {
  mkdirSync(dir('saved'), { recursive: true });
  const args = [library, dir('saved'), dir('renders'), String(port)];
  const child = fork('spec/integration/batch/save-server.mjs', args);
  children.push(child);
  const [listening] = (await once(child, 'message')) as [number];
  return { child, port: listening };
}

/** Stops commands and servers. */
export async function stopCommands(): Promise<void> {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
}

/** The lines of a ledger that are whole, parsed. */
export function readLedger(path: string): { readonly name: string; readonly status: string }[] {
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line) as { name: string; status: string });
}
