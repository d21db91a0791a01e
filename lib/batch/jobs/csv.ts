// A table as CSV: its first row names the columns.
import { Readable, pipeline } from 'node:stream';
import { parse, CsvError } from 'csv-parse';
import { checkText, MAX_LINE_LENGTH, type TextSource } from '../text.js';
import { InvalidJob, UsageError, type Entries } from '../types.js';

/** What csv-parse gives with the option `info`. */
interface Row {
  readonly record: readonly string[];
  readonly info: { readonly lines: number };
}

/**
 * Reads CSV as RFC 4180 has it, also with semicolons or tabs.
 *
 * @returns The columns, and the fields of each further row by them.
 * @throws UsageError There is no first row, or it names a column twice.
 */
export async function openCsv(source: TextSource): Promise<{ columns: readonly string[]; entries: Entries }> {
  const rows = readRows(source);
  const first = await rows.next();
  if (first.done === true) throw new UsageError(`${source.name} is empty. Its first row names the columns.`);
  const columns = first.value.record.map((column) => column.trim());
  const repeated = columns.find((column, index) => column !== '' && columns.indexOf(column) !== index);
  if (repeated !== undefined)
    throw new UsageError(`${source.name} has two columns "${repeated}". Give each a name of its own.`);
  return { columns, entries: readEntries(source.name, columns, rows) };
}

async function* readEntries(file: string, columns: readonly string[], rows: AsyncIterable<Row>): Entries {
  for await (const { record, info } of rows) {
    const text = record.join('');
    // The line of its beginning, as an editor counts them.
    const where = `${file}:${info.lines - (text.match(/\n/g)?.length ?? 0)}`;
    if (record.length === columns.length) {
      yield checkText(where, text) ?? { where, job: createValues(columns, record) };
    } else {
      const reason = `it has ${record.length} fields instead of ${columns.length}, which the first row has`;
      yield new InvalidJob(where, reason);
    }
  }
}

function createValues(columns: readonly string[], record: readonly string[]): object {
  const values = Object.fromEntries(columns.map((column, index) => [column, record[index] ?? '']));
  // What a place cannot name is no field either.
  delete values[''];
  const { timeout = '', ...others } = values;
  return timeout === '' ? others : { ...others, timeout: Number(timeout) };
}

/** @throws UsageError A quote is opened and never closed. */
async function* readRows(source: TextSource): AsyncGenerator<Row, void, undefined> {
  const chunks = source.read()[Symbol.asyncIterator]();
  let head = '';
  for (let next; !head.includes('\n') && (next = await chunks.next()).done !== true;) head += next.value;
  const parser = parse({
    delimiter: findDelimiter(head),
    record_delimiter: '\n',
    relax_column_count: true,
    relax_quotes: true,
    skip_empty_lines: true,
    info: true,
    max_record_size: MAX_LINE_LENGTH,
  });
  const text = (async function* (): AsyncGenerator<string> {
    yield head;
    yield* { [Symbol.asyncIterator]: () => chunks };
  })();
  // The parser passes every error on.
  pipeline(Readable.from(text), parser, () => undefined);
  let lines = 0;
  try {
    for await (const row of parser as AsyncIterable<Row>) {
      lines = row.info.lines;
      yield row;
    }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw new UsageError(
      `${source.name} has a quote behind line ${lines} that is never closed, or a row of more than ${MAX_LINE_LENGTH} characters. Correct it.`,
    );
  }
}

/** What separates the columns of the first row, outside of its quotes. */
function findDelimiter(head: string): string {
  const [row] = /^(?:[^"\n]|"[^"]*")*/.exec(head) ?? [''];
  const text = row.replace(/"[^"]*"/g, '');
  const count = (delimiter: string): number => text.split(delimiter).length;
  return [',', ';', '\t'].reduce((best, each) => (count(each) > count(best) ? each : best));
}
