// The decoder processes of a host, as the system lists them.
import { readdirSync, readFileSync } from 'node:fs';

/** The decoder processes that a process has started and that have not ended. Only where there is `/proc`. */
export function decodersOf(host: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      const { parent, state } = readStat(pid);
      return parent === host && state !== 'Z' && read(`/proc/${pid}/cmdline`).includes('decoder/process');
    });
}

/** Whether a process exists. One that has ended exists until its parent has read its exit code. */
export function isRunning(pid: number): boolean {
  return readStat(pid).state !== '';
}

function readStat(pid: number): { state: string; parent: number } {
  // The name of the program is in brackets and may contain any character.
  const [state = '', parent = ''] = read(`/proc/${pid}/stat`).split(') ').at(-1)?.split(' ') ?? [];
  return { state, parent: Number(parent) };
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
