// `batch report`: which jobs of a ledger are not done, and why.
import { existsSync } from 'node:fs';
import { readLedger, type LedgerEntry } from '../ledger.js';
import { OWN_FIELDS } from '../prepare-job.js';
import { UsageError } from '../types.js';
import { formatCount, printable } from './summary.js';
import { writeAll, type CliProcess } from './terminal.js';

/** The columns of the table before those of the jobs. */
const COLUMNS = ['code', 'rendererStatus', 'message', 'url', 'name', 'attempts', 'at'];

/**
 * Prints a line for each job that is not done. Only reads, also while a batch writes.
 *
 * @returns The exit status: 1 if there is any.
 * @throws UsageError There is no such ledger.
 */
export async function printReport(
  ledgers: readonly string[],
  isCsv: boolean,
  { stdout, stderr }: Pick<CliProcess, 'stdout' | 'stderr'>,
): Promise<number> {
  /** The last entry of each job; undefined where it is done, in whatever ledger. */
  const jobs = new Map<string, LedgerEntry | undefined>();
  for (const path of ledgers) {
    if (!existsSync(path)) throw new UsageError(`There is no ledger ${path}. Check the name.`);
    for await (const entry of readLedger(path)) {
      const key = JSON.stringify([entry.url, entry.name]);
      const isDone = entry.status === 'done' || (jobs.has(key) && jobs.get(key) === undefined);
      jobs.set(key, isDone ? undefined : entry);
    }
  }
  const missing = [...jobs.values()].filter((entry) => entry !== undefined);
  await writeAll(stdout, isCsv ? formatTable(missing) : missing.map(formatLine));
  const counts = [missing.length, jobs.size].map(formatCount);
  stderr.write(`${counts.join(' of ')} jobs in ${ledgers.join(', ')} are not done.\n`);
  return missing.length > 0 ? 1 : 0;
}

function jobFields(entry: LedgerEntry): string[] {
  return Object.keys(entry).filter((key) => !OWN_FIELDS.has(key));
}

/** `renderer-status 404  shoe-800.jpg  /is/image/shoe  Check the URL.  sku=17` */
function formatLine(entry: LedgerEntry): string {
  const { code = 'failed', rendererStatus, url, name, message } = entry;
  const fields = jobFields(entry).map((key) => `${key}=${toText(entry[key])}`);
  const status = `${toText(code)} ${toText(rendererStatus)}`.trim();
  const parts = [status, ...[name, url, message].map(toText), fields.join(' ')];
  return `${printable(parts.filter((part) => part !== '').join('  '))}\n`;
}

/** CSV as RFC 4180 has it. */
function formatTable(entries: readonly LedgerEntry[]): string[] {
  const columns = [...COLUMNS, ...new Set(entries.flatMap(jobFields))];
  const rows = [columns, ...entries.map((entry) => columns.map((key) => toText(entry[key])))];
  const quote = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  return rows.map((row) => `${row.map(quote).join(',')}\r\n`);
}

function toText(value: unknown): string {
  if (value === undefined || value === null) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
