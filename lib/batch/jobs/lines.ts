// A list with one job a line: JSON, or a URL and a name.
import type { JobEntry } from '../prepare-job.js';
import { MAX_LINE_LENGTH, readLines, type Line, type TextSource } from '../text.js';
import { InvalidJob } from '../types.js';

export const NOT_UTF8 = 'it is not UTF-8: convert the list, as with iconv -f WINDOWS-1252 -t UTF-8';

/** Whether a line of a list is empty or a comment. */
export function isSkipped({ text }: Line): boolean {
  return text !== undefined && /^\s*(?:#|$)/.test(text);
}

/** Why a part of a list is no job, whatever it says: it is too long, or its bytes are not UTF-8. */
export function checkText(where: string, text: string | undefined): InvalidJob | undefined {
  if (text === undefined)
    return new InvalidJob(
      where,
      `it is longer than ${MAX_LINE_LENGTH} characters: shorten it, or leave it out`,
    );
  return text.includes('\ufffd') ? new InvalidJob(where, NOT_UTF8) : undefined;
}

/** The lines of a list, without white space at their ends. Empty lines and lines that start with # are skipped. */
export async function* readListLines(
  source: TextSource,
): AsyncGenerator<{ readonly where: string; readonly text: string } | InvalidJob, void, undefined> {
  for await (const line of readLines(source.read())) {
    if (isSkipped(line)) continue;
    const where = `${source.name}:${line.number}`;
    yield checkText(where, line.text) ?? { where, text: line.text?.trim() ?? '' };
  }
}

export async function* readJobLines(
  source: TextSource,
): AsyncGenerator<JobEntry | InvalidJob, void, undefined> {
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

/** How many entries a list has. */
export async function countAll(entries: AsyncIterable<unknown>): Promise<number> {
  const iterator = entries[Symbol.asyncIterator]();
  let count = 0;
  while ((await iterator.next()).done !== true) count++;
  return count;
}
