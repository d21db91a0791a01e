// One batch at a time on a ledger: a file beside it says which process has it. A kill leaves that file behind.
import { readFileSync, readlinkSync } from 'node:fs';
import { readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { UsageError } from './types.js';

/** How often a process shows that it still has its lock, for other machines, in milliseconds. */
const REFRESH_MS = 5000;

/** A lock of another machine that is not refreshed for so long is left over, in milliseconds. */
const LEFT_OVER_MS = 3 * REFRESH_MS;

/** The locks that this process has. */
const held = new Set<string>();

interface Holder {
  /** The machine, and where there are containers, which of them: only there does the process id mean anything. */
  readonly machine: string;
  readonly pid: number;
  /** Tells processes apart that got the same id, one after the other; empty where the system does not say it. */
  readonly started: string;
}

/**
 * Locks a ledger.
 *
 * @param ledger Its path, without links.
 * @returns Unlocks it.
 * @throws UsageError Another batch has it.
 */
export async function lockLedger(ledger: string): Promise<() => Promise<void>> {
  const path = `${ledger}.lock`;
  const holder: Holder = { machine: describeMachine(), pid: process.pid, started: startOf(process.pid) };
  while (!held.has(path)) {
    held.add(path);
    try {
      await writeFile(path, JSON.stringify(holder), { flag: 'wx' });
      return keepLock(path);
    } catch (error) {
      held.delete(path);
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    if (!(await isLeftOver(path))) break;
    await removeLeftOver(path);
  }
  throw new UsageError(
    `Another batch is using the ledger ${ledger}. Wait until it has ended, or name another file. If there is none, remove ${path}.`,
  );
}

function keepLock(path: string): () => Promise<void> {
  const timer = setInterval(() => {
    const now = new Date();
    utimes(path, now, now).catch(() => undefined);
  }, REFRESH_MS).unref();
  return async () => {
    clearInterval(timer);
    await rm(path, { force: true });
    held.delete(path);
  };
}

async function isLeftOver(path: string): Promise<boolean> {
  const holder = await readHolder(path);
  if (holder?.machine === describeMachine()) {
    if (holder.pid === process.pid) return !held.has(path);
    return !isAlive(holder);
  }
  // Another machine, or a lock that is just being written: only time tells. Clocks may differ, so it is not compared.
  const refreshed = await readTime(path);
  await sleep(holder === undefined ? 1000 : LEFT_OVER_MS);
  return (await readTime(path)) === refreshed;
}

/** Of two batches that find the same lock left over, the second must not remove the new lock of the first. */
async function removeLeftOver(path: string): Promise<void> {
  const aside = `${path}.${process.pid}`;
  await rename(path, aside).catch(() => undefined);
  const moved = await readHolder(aside);
  if (moved?.machine === describeMachine() && isAlive(moved)) await rename(aside, path);
  else await rm(aside, { force: true });
}

async function readHolder(path: string): Promise<Holder | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Holder;
  } catch {
    return undefined;
  }
}

async function readTime(path: string): Promise<number> {
  return stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );
}

/** Whether the process is the one that took the lock: its id may belong to another one since. */
function isAlive({ pid, started }: Holder): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // It may belong to another user.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  return startOf(pid) === started;
}

function describeMachine(): string {
  try {
    return `${hostname()} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return hostname();
  }
}

/** The start of the machine and of the process on it. (proc(5): `starttime` is the 22nd field, behind the name.) */
function startOf(pid: number): string {
  try {
    const [, fields = ''] = /^.*\) (.*)$/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${fields.split(' ')[19]}`;
  } catch {
    return '';
  }
}
