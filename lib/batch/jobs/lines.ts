// A list with one job a line: JSON, or a URL and a name.
import type { JobEntry } from '../prepare-job.js';
import { readLines } from '../read-lines.js';
import { InvalidJob } from '../types.js';
import type { ListRecord } from './csv.js';
import { checkText, isSkipped, type TextSource } from './text.js';

/** Reads jobs from lines. Empty lines and lines that start with # are skipped. */
export async function* readJobLines(
  source: TextSource,
): AsyncGenerator<JobEntry | InvalidJob, void, undefined> {
  for await (const line of readLines(source.read())) {
    if (isSkipped(line)) continue;
    const where = `${source.name}:${line.number}`;
    yield checkText(where, line.text) ?? parseLine(where, line.text?.trim() ?? '');
  }
}

/** Reads lines of JSON whose fields are the values of places. */
export async function* readJsonRecords(source: TextSource): AsyncGenerator<ListRecord, void, undefined> {
  for await (const entry of readJobLines(source)) {
    if (entry instanceof InvalidJob) yield entry;
    else yield { where: entry.where, values: entry.job as Readonly<Record<string, unknown>> };
  }
}

/** How many lines are not skipped. */
export async function countLines(source: TextSource): Promise<number> {
  let count = 0;
  for await (const line of readLines(source.read())) if (!isSkipped(line)) count++;
  return count;
}

function parseLine(where: string, line: string): JobEntry | InvalidJob {
  if (line.startsWith('{')) {
    try {
      return { where, job: JSON.parse(line) as unknown };
    } catch {
      return new InvalidJob(
        where,
        'it starts with { and is not JSON, as in {"url": "/is/image/shoe", "name": "shoe.jpg"}',
      );
    }
  }
  const [, url, name] = /^(\S+)\s+(\S.*)$/.exec(line) ?? [];
  return url === undefined
    ? new InvalidJob(where, 'there is no name behind the URL, as in: /is/image/shoe shoe.jpg')
    : { where, job: { url, name } };
}
