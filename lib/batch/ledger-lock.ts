// One batch at a time on a ledger: a file beside it says which process has it. A kill leaves that file behind.
import { readFileSync, readlinkSync } from 'node:fs';
import { readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { UsageError } from './types.js';

interface Holder {
  /** The machine and its container: a process of another one cannot be asked whether it runs. */
  readonly host: string;
  readonly pid: number;
  /** Tells processes apart that got the same id, one after the other; empty where the system does not say it. */
  readonly started: string;
}

/**
 * Locks a ledger.
 *
 * @param ledger Its path, without links.
 * @param refreshMs How often the process shows that it still has the lock, for other machines and containers.
 * @returns Unlocks it.
 * @throws UsageError Another batch has it.
 */
export async function lockLedger(ledger: string, refreshMs = 5000): Promise<() => Promise<void>> {
  const path = `${ledger}.lock`;
  const holder: Holder = { host: describeHost(), pid: process.pid, started: startOf(process.pid) };
  for (;;) {
    try {
      await writeFile(path, JSON.stringify(holder), { flag: 'wx' });
      const timer = setInterval(() => {
        const now = new Date();
        utimes(path, now, now).catch(() => undefined);
      }, refreshMs).unref();
      return async () => {
        clearInterval(timer);
        await rm(path, { force: true });
      };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    if (await isHeld(path, refreshMs))
      throw new UsageError(
        `Another batch is using the ledger ${ledger}. Wait until it has ended, or name another file. If there is none, remove ${path}.`,
      );
    await removeLeftOver(path);
  }
}

/** Of two batches that find the same lock left over, the second must not remove the new lock of the first. */
async function removeLeftOver(path: string): Promise<void> {
  const aside = `${path}.${process.pid}`;
  try {
    await rename(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return;
  }
  const moved = await readHolder(aside);
  if (moved !== undefined && isRunning(moved)) await rename(aside, path);
  else await rm(aside, { force: true });
}

/** Undefined where there is no lock, or one that was not written to its end. */
async function readHolder(path: string): Promise<Holder | undefined> {
  for (const wait of [1000, 0]) {
    const text = await readFile(path, 'utf8').catch(() => undefined);
    try {
      return text === undefined ? undefined : (JSON.parse(text) as Holder);
    } catch {
      // Perhaps it is just being written.
      await sleep(wait);
    }
  }
  return undefined;
}

async function isHeld(path: string, refreshMs: number): Promise<boolean> {
  const holder = await readHolder(path);
  if (holder === undefined) return false;
  if (holder.host === describeHost()) return isRunning(holder);
  // Clocks may differ, so the time is compared with itself.
  const refreshed = await readTime(path);
  await sleep(3 * refreshMs);
  return (await readTime(path)) !== refreshed;
}

const readTime = (path: string): Promise<number> =>
  stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => NaN,
  );

function describeHost(): string {
  try {
    return `${hostname()} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return hostname();
  }
}

/** Whether the process is the one that took the lock: its id may belong to another one since. */
function isRunning(holder: Holder): boolean {
  if (holder.host !== describeHost()) return false;
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    // It may belong to another user.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  return startOf(holder.pid) === holder.started;
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
