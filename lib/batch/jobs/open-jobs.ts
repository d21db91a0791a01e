// The list of jobs that the arguments name, and how long it is.
import type { Readable } from 'node:stream';
import { prepareJob } from '../prepare-job.js';
import { countAll, openText, readListLines, type TextSource } from '../text.js';
import { InvalidJob, UsageError, type Entries, type JobEntry } from '../types.js';
import { describeCounts, readAccessLog, type AccessLogOptions, type LogCounts } from './access-log.js';
import { openCsv } from './csv.js';
import { openTemplates, type JobTemplates } from './templates.js';

/** Where the jobs come from. */
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
  /** What the lines of an access log are; only with a log. */
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
  for await (const entry of jobs) {
    const prepared =
      entry instanceof InvalidJob ? entry : prepareJob(entry, { server: 'http://any', timeout: undefined });
    if (!(prepared instanceof InvalidJob)) return;
    throw new UsageError(`The first combination is no job: ${prepared.reason}. Correct --url or --name.`);
  }
}

/** Reads a list with one job a line: JSON, or a URL and a name. */
export async function* readJobLines(source: TextSource): Entries {
  for await (const line of readListLines(source))
    yield line instanceof InvalidJob ? line : parseLine(line.where, line.text);
}

function parseLine(where: string, line: string): JobEntry | InvalidJob {
  if (line.startsWith('{')) {
    try {
      return { where, job: JSON.parse(line) as unknown };
    } catch {
      const example = '{"url": "/is/image/shoe", "name": "shoe.jpg"}';
      return new InvalidJob(where, `it starts with { and is not JSON, as in ${example}`);
    }
  }
  const [, url, name] = /^(\S+)\s+(\S.*)$/.exec(line) ?? [];
  if (url !== undefined) return { where, job: { url, name } };
  return new InvalidJob(where, 'there is no name behind the URL, as in: /is/image/shoe shoe.jpg');
}
