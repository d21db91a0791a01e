// The S3 gateway of a real Ceph, for as long as the bench needs it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { undoAtExit } from './processes.js';

/** How the gateway is reached, as its script prints it. */
export interface Gateway {
  readonly endpoint: string;
  readonly users: readonly { readonly accessKey: string; readonly secretKey: string }[];
}

/** A gateway that runs, or why there is none. */
export type Started =
  { readonly gateway: Gateway; readonly stop: () => Promise<void> } | { readonly missing: string };

/** @param folder Where it keeps its files: a new one. */
export async function startCeph(folder: string): Promise<Started> {
  const starting = ceph('start', folder);
  // Its daemons are known when it is up: one that is stopped before would leave some of them.
  const stop = async (): Promise<void> => {
    await starting;
    await ceph('stop', folder);
  };
  const stopOnce = undoAtExit(stop);
  const { code, output, errors } = await starting;
  if (code === 0) return { gateway: JSON.parse(output) as Gateway, stop: stopOnce };
  await stopOnce();
  return { missing: errors.trim() };
}

/** Runs the script to its end. Ctrl-C must not end it in between: it reaches the whole group. */
async function ceph(
  command: 'start' | 'stop',
  folder: string,
): Promise<{ code: number; output: string; errors: string }> {
  const script = fileURLToPath(new URL('../scripts/ceph.mjs', import.meta.url));
  const child = spawn(process.execPath, [script, command, folder], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [[code], output, errors] = await Promise.all([
    once(child, 'close') as Promise<[number | null]>,
    text(child.stdout),
    text(child.stderr),
  ]);
  return { code: code ?? 1, output, errors };
}
