// The ledger: a file with a line for each job that has ended, so that a later batch goes on where this one stopped.
import { createReadStream, existsSync } from 'node:fs';
import { open, realpath, type FileHandle } from 'node:fs/promises';
import { KeySet } from './key-set.js';
import { lockLedger } from './ledger-lock.js';
import { readLines } from './text.js';
import { UsageError, type SaveResult } from './types.js';

/** What every line begins with, so that one which a kill has cut off is recognised. */
const BEGINNING = '{"url":';
const BLOCK_BYTES = 65_536;

/**
 * Opens a ledger to go on with it, or makes a new one. A last line that a kill has cut off is removed, and so are the
 * zeros that a power cut leaves at the end of a file.
 *
 * @throws UsageError The file is no ledger, another batch uses it, or it cannot be used; the message names the fix.
 */
export async function openLedger(path: string): Promise<Ledger> {
  let file: FileHandle | undefined;
  let unlock: (() => Promise<void>) | undefined;
  try {
    file = await open(path, 'a+');
    if (!(await file.stat()).isFile())
      throw new UsageError(`The ledger ${path} is not a file; name one that is.`);
    // Windows tells no real path on some drives, such as RAM disks.
    unlock = await lockLedger(await realpath(path).catch(() => path));
    // Throws before anything of another file is removed.
    const entries = readLedger(path);
    await entries.next();
    await entries.return();
    await repairLastLine(file, path);
    return new Ledger(path, file, unlock, await readDone(path));
  } catch (error) {
    await file?.close();
    await unlock?.();
    throw ledgerError(path, error);
  }
}

export class Ledger {
  /** Lines that come while others are being written are written together. */
  readonly #lines: string[] = [];
  #written = Promise.resolve();

  /** @param done What earlier batches have saved, by URL and name. */
  constructor(
    private readonly path: string,
    private readonly file: FileHandle,
    private readonly unlock: () => Promise<void>,
    readonly done: KeySet,
  ) {}

  /** Adds a line. Resolves when the system has it, so that it outlives this process; rejects with a UsageError. */
  append(result: SaveResult): Promise<void> {
    const write = (): Promise<void> => this.file.appendFile(this.#lines.splice(0).join(''));
    this.#lines.push(`${JSON.stringify(result)}\n`);
    if (this.#lines.length === 1) this.#written = this.#written.catch(() => undefined).then(write);
    return this.#written.catch((error: unknown) => {
      throw ledgerError(this.path, error);
    });
  }

  async close(): Promise<void> {
    await this.#written.catch(() => undefined);
    await this.file.close();
    await this.unlock();
  }
}

/** Removes what a kill has left of a line, or ends a line of which only the end is missing. */
async function repairLastLine(file: FileHandle, path: string): Promise<void> {
  const { size: sizeWithZeros } = await file.stat();
  const size = await findEnd(file, sizeWithZeros, (bytes) => bytes.findLastIndex((byte) => byte !== 0));
  if (size < sizeWithZeros) await file.truncate(size);
  const end = await findEnd(file, size, (bytes) => bytes.lastIndexOf(0x0a));
  if (end === size) return;
  const { buffer, bytesRead } = await file.read(Buffer.alloc(size - end), 0, size - end, end);
  const isWhole = parseEntry(buffer.toString('utf8', 0, bytesRead), path, 'last line') !== undefined;
  await (isWhole ? file.appendFile('\n') : file.truncate(end));
}

/** The position behind the last byte that is looked for; 0 where there is none. */
async function findEnd(file: FileHandle, size: number, find: (bytes: Uint8Array) => number): Promise<number> {
  const block = Buffer.alloc(BLOCK_BYTES);
  for (let end = size; end > 0; end -= BLOCK_BYTES) {
    const start = Math.max(0, end - BLOCK_BYTES);
    const { bytesRead } = await file.read(block, 0, end - start, start);
    const at = find(block.subarray(0, bytesRead));
    if (at >= 0) return start + at + 1;
  }
  return 0;
}

/**
 * What a ledger says is done, by URL and name; nothing where there is none. Only reads.
 *
 * @throws UsageError It is no ledger, or cannot be read.
 */
export async function readDone(path: string | undefined): Promise<KeySet> {
  const done = new KeySet();
  if (path !== undefined && existsSync(path))
    for await (const { url, name, status } of readLedger(path)) if (status === 'done') done.add(url, name);
  return done;
}

/**
 * The results in a ledger, without a line that was cut off or is just being written.
 *
 * @throws UsageError It is no ledger, or cannot be read.
 */
export async function* readLedger(path: string): AsyncGenerator<LedgerEntry, void, undefined> {
  try {
    for await (const { number, text } of readLines(createReadStream(path, 'utf8') as AsyncIterable<string>)) {
      const entry = parseEntry(text ?? 'too long', path, `line ${number}`);
      if (entry !== undefined) yield entry;
    }
  } catch (error) {
    throw ledgerError(path, error);
  }
}

export type LedgerEntry = Pick<SaveResult, 'url' | 'name' | 'status'> & Readonly<Record<string, unknown>>;

/**
 * Reads a line; undefined where it was cut.
 *
 * @throws UsageError It is of no ledger. A list of jobs as JSON looks much the same.
 */
function parseEntry(line: string, path: string, which: string): LedgerEntry | undefined {
  // Zeros that a power cut has left in the midst of a file.
  const text = line.replaceAll('\0', '');
  let entry: Partial<LedgerEntry> | null;
  try {
    entry = JSON.parse(text) as Partial<LedgerEntry> | null;
  } catch {
    if (text.startsWith(BEGINNING) || BEGINNING.startsWith(text)) return undefined;
    entry = null;
  }
  if ([entry?.url, entry?.name, entry?.status].every((field) => typeof field === 'string'))
    return entry as LedgerEntry;
  throw new UsageError(`${path} is no ledger: its ${which} is something else. Name another file.`);
}

function ledgerError(path: string, error: unknown): UsageError {
  if (error instanceof UsageError) return error;
  const { code = '', message } = error as NodeJS.ErrnoException;
  return new UsageError(
    `The ledger ${path} ${ERRORS[code] ?? `cannot be used (${message}). Name another file.`}`,
  );
}

const NO_RIGHT =
  'or the lock beside it may not be written. Change the rights of file and folder, or name another file.';
const NO_ROOM = 'has no room. Make room, then run the same command again.';

const ERRORS: Readonly<Record<string, string>> = {
  ENOENT: 'is in a folder that does not exist. Make it, or name another file.',
  EISDIR: 'is a folder. Name a file.',
  EACCES: NO_RIGHT,
  EPERM: NO_RIGHT,
  EROFS: NO_RIGHT,
  ENOSPC: NO_ROOM,
  EDQUOT: NO_ROOM,
};
