// The list of jobs that the arguments name, and how long it is.
import type { Readable } from 'node:stream';
import { prepareJob, type JobEntry } from '../prepare-job.js';
import { InvalidJob, UsageError } from '../types.js';
import { LogCounts, readAccessLog } from './access-log.js';
import { countRecords, openCsv, type ListRecord } from './csv.js';
import { countLines, readJobLines, readJsonRecords } from './lines.js';
import { checkTemplates, countCombinations, fillTemplates, readSets } from './matrix.js';
import { Template } from './template.js';
import { openText } from './text.js';

/** Templates, and the sets of values that fill them besides what a record has. */
interface Templates {
  readonly url: string;
  readonly name: string;
  /** As in `wid=320,640`, or `picture=@pictures.txt` for a file with a value in each line. */
  readonly set: readonly string[];
}

/** Where the jobs come from. */
export type JobList =
  | { readonly kind: 'lines'; readonly path: string; readonly templates: Templates | undefined }
  | { readonly kind: 'csv'; readonly path: string; readonly templates: Templates }
  | { readonly kind: 'matrix'; readonly templates: Templates }
  | {
      readonly kind: 'log';
      readonly path: string;
      /** Undefined where the save commands of the log are taken, which have names. */
      readonly name: string | undefined;
      readonly column: number | undefined;
      /** Only requests whose path begins with this. */
      readonly under: string;
    };

export interface OpenJobs {
  readonly jobs: AsyncIterable<JobEntry | InvalidJob>;
  /** Undefined where only reading them tells: standard input, and the distinct URLs of a log. */
  readonly total: number | undefined;
  /** What the lines of an access log were. */
  readonly logCounts?: LogCounts;
  /** @throws UsageError The list has been read and had nothing in it. */
  readonly checkCount: () => void;
}

type UncountedJobs = Omit<OpenJobs, 'checkCount'>;

/** @throws UsageError A file cannot be read, or the templates do not fit; the message names the fix. */
export async function openJobs(list: JobList, stdin: Readable): Promise<OpenJobs> {
  const { jobs, ...opened } = await openList(list, stdin);
  let count = 0;
  async function* countEntries(): AsyncGenerator<JobEntry | InvalidJob, void, undefined> {
    for await (const entry of jobs) {
      count++;
      yield entry;
    }
  }
  const checkCount = (): void => {
    if (count === 0) throw new UsageError(describeEmpty(list, opened.logCounts));
  };
  return { ...opened, jobs: countEntries(), checkCount };
}

function describeEmpty(list: JobList, counts: LogCounts | undefined): string {
  if (list.kind === 'matrix') return 'There are no jobs: a file of --set has no values.';
  if (counts === undefined) return `There are no jobs in ${list.path}.`;
  return `There are no ${counts.kindName} in ${list.path} (${counts.toString()}). Check --under, or name the column of the URL with --column.`;
}

async function openList(list: JobList, stdin: Readable): Promise<UncountedJobs> {
  if (list.kind === 'matrix')
    return await openTemplates(list.templates, [{ where: '', values: {} }], [], 1, stdin);
  const source = await openText(list.path, stdin);
  if (list.kind === 'log') {
    const logCounts = new LogCounts(list.name === undefined);
    return { jobs: readAccessLog(source, list, logCounts), total: undefined, logCounts };
  }
  if (list.kind === 'csv') {
    const { columns, records } = await openCsv(source);
    const count = source.isFile ? await countRecords(source) : undefined;
    return await openTemplates(list.templates, records, columns, count, stdin);
  }
  const count = source.isFile ? await countLines(source) : undefined;
  if (list.templates === undefined) return { jobs: readJobLines(source), total: count };
  return await openTemplates(list.templates, readJsonRecords(source), undefined, count, stdin);
}

async function openTemplates(
  templates: Templates,
  records: Iterable<ListRecord> | AsyncIterable<ListRecord>,
  columns: readonly string[] | undefined,
  count: number | undefined,
  stdin: Readable,
): Promise<UncountedJobs> {
  const [url, name] = [new Template(templates.url, columns), new Template(templates.name, columns)];
  const sets = await readSets(templates.set, stdin);
  checkTemplates(url, name, sets, columns);
  if (columns?.length === 0) await checkFirst(fillTemplates(url, name, [{ where: '', values: {} }], sets));
  const total = count === undefined ? undefined : count * countCombinations(sets);
  return { jobs: fillTemplates(url, name, records, sets), total };
}

/** A template that makes no job of the first combination makes none of the others. */
async function checkFirst(jobs: AsyncGenerator<JobEntry | InvalidJob>): Promise<void> {
  const first = await jobs.next();
  await jobs.return(undefined);
  if (first.done === true) return;
  const entry = first.value;
  const defaults = { server: 'http://any', timeout: undefined };
  const prepared = entry instanceof InvalidJob ? entry : prepareJob(entry, defaults);
  if (prepared instanceof InvalidJob)
    throw new UsageError(`The first combination is no job: ${prepared.reason}. Correct --url or --name.`);
}
