// The list of jobs that the arguments name, and how long it is; lists with a job in each line, and tables.
import { pipeline, Readable } from 'node:stream';
import { CsvError, parse } from 'csv-parse';
import { prepareJob } from '../prepare-job.js';
import { checkText, countAll, MAX_LINE_LENGTH, openText, readListLines, type TextSource } from '../text.js';
import { InvalidJob, UsageError, type Entries } from '../types.js';
import { describeCounts, readAccessLog, type AccessLogOptions, type LogCounts } from './access-log.js';
import { openTemplates, type JobTemplates } from './templates.js';

export type JobList =
  | { readonly kind: 'lines'; readonly path: string; readonly templates: JobTemplates | undefined }
  | { readonly kind: 'csv'; readonly path: string; readonly templates: JobTemplates }
  | { readonly kind: 'matrix'; readonly templates: JobTemplates }
  | ({ readonly kind: 'log'; readonly path: string } & AccessLogOptions);

export interface OpenJobs {
  /** Throws a UsageError at its end if it had no entry. */
  readonly jobs: Entries;
  /** Undefined where only reading them tells: standard input, and the distinct URLs of a log. */
  readonly total: number | undefined;
  /** What the lines of an access log are; empty without one. */
  readonly logCounts: LogCounts;
}

/** @throws UsageError A file cannot be read, or the templates do not fit; the message names the fix. */
export async function openJobs(list: JobList, stdin: Readable): Promise<OpenJobs> {
  const logCounts: LogCounts = new Map();
  const { jobs, total } = await openList(list, logCounts, stdin);
  return { jobs: refuseEmpty(jobs, list, logCounts), total, logCounts };
}

async function* refuseEmpty(entries: Entries, list: JobList, counts: LogCounts): Entries {
  let isEmpty = true;
  for await (const entry of entries) {
    isEmpty = false;
    yield entry;
  }
  if (!isEmpty) return;
  if (list.kind === 'matrix') throw new UsageError('There are no jobs: a file of --set has no values.');
  if (list.kind !== 'log') throw new UsageError(`There are no jobs in ${list.path}.`);
  const what = list.name === undefined ? 'save commands' : 'images';
  throw new UsageError(
    `There are no ${what} in ${list.path} (${describeCounts(counts)}). Check --under, or name the column of the URL with --column.`,
  );
}

async function openList(
  list: JobList,
  logCounts: LogCounts,
  stdin: Readable,
): Promise<Pick<OpenJobs, 'jobs' | 'total'>> {
  if (list.kind === 'matrix') {
    const { fill, combinations } = await openTemplates(list.templates, [], stdin);
    const entries = [{ where: '', job: {} }];
    await checkFirst(fill(entries));
    return { jobs: fill(entries), total: combinations };
  }
  const source = await openText(list.path, stdin);
  if (list.kind === 'log') return { jobs: readAccessLog(source, list, logCounts), total: undefined };
  const open = async (): Promise<{ columns?: readonly string[]; entries: Entries }> =>
    list.kind === 'csv' ? openCsv(source) : { entries: readJobLines(source) };
  const { columns, entries } = await open();
  const count = source.isFile ? await countAll((await open()).entries) : undefined;
  if (list.templates === undefined) return { jobs: entries, total: count };
  const { fill, combinations } = await openTemplates(list.templates, columns, stdin);
  return { jobs: fill(entries), total: count && count * combinations };
}

/** A template that makes no job of the first combination makes none of the others. */
async function checkFirst(jobs: Entries): Promise<void> {
  for await (const { job } of jobs) {
    const where = 'The first combination is no job';
    const { result } = prepareJob({ where, job }, { server: 'http://any' });
    if (result === undefined) return;
    throw new UsageError(`${result.message}. Correct --url or --name.`);
  }
}

export async function* readJobLines(source: TextSource): Entries {
  for await (const { where, job: line } of readListLines(source))
    yield { where, job: line instanceof InvalidJob ? line : parseLine(line) };
}

function parseLine(line: string): unknown {
  if (line.startsWith('{')) {
    try {
      return JSON.parse(line);
    } catch {
      const example = '{"url": "/is/image/shoe", "name": "shoe.jpg"}';
      return new InvalidJob(`it starts with { and is not JSON, as in ${example}`);
    }
  }
  const [, url, name] = /^(\S+)\s+(\S.*)$/.exec(line) ?? [];
  if (url !== undefined) return { url, name };
  return new InvalidJob('there is no name behind the URL, as in: /is/image/shoe shoe.jpg');
}

/** What csv-parse gives with the option `info`. */
interface Row {
  readonly record: readonly string[];
  readonly info: { readonly lines: number };
}

/**
 * Reads CSV as RFC 4180 has it, also with semicolons or tabs.
 *
 * @returns The columns, and the fields of each further row by them.
 * @throws UsageError There is no first row, it names a column twice, or it is not UTF-8.
 */
export async function openCsv(source: TextSource): Promise<{ columns: readonly string[]; entries: Entries }> {
  const rows = readRows(source);
  const first = await rows.next();
  if (first.done === true) throw new UsageError(`${source.name} is empty. Its first row names the columns.`);
  const columns = first.value.record.map((column) => column.trim());
  const wrong = checkText(columns.join(''));
  if (wrong !== undefined) throw new UsageError(`${source.name}, first row: ${wrong.message}`);
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
      yield { where, job: checkText(text) ?? createValues(columns, record) };
    } else {
      const reason = `it has ${record.length} fields instead of ${columns.length}, which the first row has`;
      yield { where, job: new InvalidJob(reason) };
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
  for (let next; !/[^\n]\n/.test(head) && (next = await chunks.next()).done !== true;) head += next.value;
  // Excel's own first line, which only names the delimiter.
  const [, separator] = /^"?sep=(.)"?\n/i.exec(head) ?? [];
  const parser = parse({
    delimiter: separator ?? findDelimiter(head),
    from_line: separator === undefined ? 1 : 2,
    record_delimiter: '\n',
    relax_column_count: true,
    relax_quotes: true,
    // Also rows of delimiters alone, as spreadsheets write them behind their last row.
    skip_records_with_empty_values: true,
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
      `${source.name} has, from line ${lines + 1} on, a quote that is never closed, or a row of more than ${MAX_LINE_LENGTH} characters. Correct it.`,
    );
  }
}

/** What separates the columns of the first row, outside of its quotes. */
function findDelimiter(head: string): string {
  const [row = ''] = /(?:[^"\n]|"[^"]*")+/.exec(head) ?? [];
  const text = row.replace(/"[^"]*"/g, '');
  const count = (delimiter: string): number => text.split(delimiter).length;
  return [',', ';', '\t'].reduce((best, each) => (count(each) > count(best) ? each : best));
}
