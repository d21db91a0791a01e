// `batch report`: which jobs of a ledger are not done, and why.
import { stat } from 'node:fs/promises';
import { readLedger, type LedgerEntry } from '../ledger.js';
import { OWN_FIELDS } from '../prepare-job.js';
import { UsageError } from '../types.js';
import { formatCount, printable } from './format.js';
import { openOutput, type CliProcess } from './process.js';

/** The columns of the table that are not the job's own. */
const COLUMNS = ['code', 'rendererStatus', 'message', 'url', 'name', 'attempts', 'at'] as const;

const IS_OWN: ReadonlySet<string> = new Set(OWN_FIELDS);

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
  const [done, missing] = [new Set<string>(), new Map<string, LedgerEntry>()];
  for await (const entry of readAll(ledgers)) {
    const key = JSON.stringify([entry.url, entry.name]);
    if (entry.status === 'done') {
      done.add(key);
      missing.delete(key);
    } else if (!done.has(key)) {
      missing.set(key, entry);
    }
  }
  const output = openOutput(stdout);
  const entries = [...missing.values()];
  const fields = [...new Set(entries.flatMap((entry) => Object.keys(entry)))].filter(
    (key) => !IS_OWN.has(key),
  );
  if (isCsv) await output.write(formatRow([...COLUMNS, ...fields]));
  for (const entry of entries) {
    await output.write(
      isCsv ? formatRow([...COLUMNS, ...fields].map((key) => entry[key])) : formatLine(entry),
    );
  }
  stderr.write(
    `${formatCount(missing.size)} of ${formatCount(done.size + missing.size)} jobs in ${ledgers.join(', ')} are not done.\n`,
  );
  return missing.size > 0 ? 1 : 0;
}

async function* readAll(ledgers: readonly string[]): AsyncGenerator<LedgerEntry, void, undefined> {
  for (const path of ledgers) {
    await stat(path).catch(() => {
      throw new UsageError(`There is no ledger ${path}. Check the name.`);
    });
    yield* readLedger(path);
  }
}

/** `renderer-status 404  shoe-800.jpg  /is/image/shoe  Check the URL.  sku=17` */
function formatLine(entry: LedgerEntry): string {
  const { code = 'failed', rendererStatus, url, name, message } = entry;
  const own = Object.entries(entry).filter(([key]) => !IS_OWN.has(key));
  const parts = [
    [code, rendererStatus].map(toText).join(' ').trim(),
    ...[name, url, message].map(toText),
    own.map(([key, value]) => `${key}=${toText(value)}`).join(' '),
  ];
  return `${printable(parts.filter((part) => part !== '').join('  '))}\n`;
}

/** A row of CSV. (RFC 4180.) */
function formatRow(values: readonly unknown[]): string {
  const cells = values.map((value) => {
    const text = toText(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  });
  return `${cells.join(',')}\r\n`;
}

function toText(value: unknown): string {
  if (value === undefined || value === null) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
