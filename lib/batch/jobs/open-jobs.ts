// The list of jobs that the arguments name, and how long it is.
import type { Readable } from 'node:stream';
import { readAccessLog } from './access-log.js';
import { countLines, openText, readJobLines } from './lines.js';
import { createMatrix } from './matrix.js';
import type { JobEntry } from '../prepare-job.js';
import type { InvalidJob } from '../types.js';

/** Where the jobs come from. */
export type JobList =
  | { readonly kind: 'lines'; readonly path: string }
  | { readonly kind: 'matrix'; readonly url: string; readonly name: string; readonly set: readonly string[] }
  | {
      readonly kind: 'log';
      readonly path: string;
      readonly name: string;
      readonly column: number | undefined;
    };

export interface OpenJobs {
  readonly jobs: AsyncIterable<JobEntry | InvalidJob>;
  /** Undefined where only reading them tells: standard input, and the distinct URLs of a log. */
  readonly total: number | undefined;
}

/** @throws UsageError A file cannot be read, or the templates do not fit; the message names the fix. */
export async function openJobs(list: JobList, stdin: Readable): Promise<OpenJobs> {
  if (list.kind === 'matrix') return createMatrix(list, stdin);
  const source = await openText(list.path, stdin);
  if (list.kind === 'log') return { jobs: readAccessLog(source, list), total: undefined };
  return { jobs: readJobLines(source), total: source.isFile ? await countLines(source) : undefined };
}
