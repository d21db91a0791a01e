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
  const host = `${hostname()} ${ask(() => readlinkSync('/proc/self/ns/pid'))}`;
  const own: Holder = { host, pid: process.pid, started: startOf(process.pid) };
  for (;;) {
    try {
      await writeFile(path, JSON.stringify(own), { flag: 'wx' });
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const lock = await readLock(path);
    if (await isHeld(path, lock, host, refreshMs))
      throw new UsageError(
        `Another batch is using the ledger ${ledger}. Wait until it has ended, or name another file. If there is none, remove ${path}.`,
      );
    await removeLeftOver(path, lock);
  }
  const timer = setInterval(() => {
    const now = new Date();
    utimes(path, now, now).catch(() => undefined);
  }, refreshMs).unref();
  return async () => {
    clearInterval(timer);
    await rm(path, { force: true });
  };
}

/** A lock as JSON; after a power cut, one that says nothing. */
async function readLock(path: string): Promise<string> {
  const read = (): Promise<string> => readFile(path, 'utf8').catch(() => '{}');
  const text = await read();
  if (text.endsWith('}')) return text;
  // Perhaps it is just being written.
  await sleep(1000);
  return read();
}

/** Of two batches that find the same lock left over, the second must not remove the new lock of the first. */
async function removeLeftOver(path: string, lock: string): Promise<void> {
  const aside = `${path}.${process.pid}`;
  try {
    await rename(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return;
  }
  if ((await readLock(aside)) === lock) await rm(aside, { force: true });
  else await rename(aside, path);
}

async function isHeld(path: string, lock: string, host: string, refreshMs: number): Promise<boolean> {
  let holder: Holder;
  try {
    holder = JSON.parse(lock) as Holder;
  } catch {
    return false;
  }
  if (holder.host === host) return isRunning(holder);
  const readTime = async (): Promise<number | undefined> =>
    (await stat(path).catch(() => undefined))?.mtimeMs;
  // Clocks may differ, so the time is compared with itself. Without one, the lock has been removed.
  const refreshed = await readTime();
  if (refreshed === undefined) return false;
  await sleep(3 * refreshMs);
  const now = await readTime();
  return now !== undefined && now !== refreshed;
}

/** Whether the process is the one that took the lock: its id may belong to another one since. */
function isRunning({ pid, started }: Holder): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // It may belong to another user.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  return startOf(pid) === started;
}

/** The start of the machine and of the process on it. (proc(5): `starttime` is the 22nd field, behind the name.) */
function startOf(pid: number): string {
  return ask(() => {
    const [, fields = ''] = /^.*\) (.*)$/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${fields.split(' ')[19]}`;
  });
}

/** What the system says; empty where it has no such file. */
function ask(read: () => string): string {
  try {
    return read();
  } catch {
    return '';
  }
}
