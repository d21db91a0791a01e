// A list of jobs, one a line: JSON, or a URL and a name.
import { constants, createReadStream, statSync } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import type { JobEntry } from '../prepare-job.js';
import { MAX_LINE_LENGTH, readLines, type Line } from '../read-lines.js';
import { InvalidJob, UsageError } from '../types.js';

/** A source of lines, by the name that messages give it. */
export interface TextSource {
  readonly name: string;
  open(): Readable;
  /** Whether it can be read more than once: standard input and pipes cannot. */
  readonly isFile: boolean;
}

/**
 * A file, or standard input for `-`.
 *
 * @throws UsageError The file cannot be read.
 */
export async function openText(path: string, stdin: Readable): Promise<TextSource> {
  if (path === '-') return { name: 'stdin', isFile: false, open: () => stdin };
  try {
    const stats = await stat(path);
    if (stats.isDirectory()) throw new UsageError(`${path} is a folder. Name a file.`);
    await access(path, constants.R_OK);
    const isFile = stats.isFile();
    return { name: path, isFile, open: () => (isFile ? openFile(path) : createReadStream(path)) };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT')
      throw new UsageError(`There is no file ${path}. Check the name, or use - for standard input.`);
    if (code === 'EACCES') throw new UsageError(`The file ${path} may not be read. Change its rights.`);
    throw new UsageError(`The file ${path} cannot be read (${message}).`);
  }
}

/** Reads what a file has now. The ledger, which may be the list too, grows with each job: its end would never come. */
function openFile(path: string): Readable {
  const { size } = statSync(path);
  return size === 0 ? Readable.from([]) : createReadStream(path, { end: size - 1 });
}

/** Reads jobs from lines. Empty lines and lines that start with # are skipped. */
export async function* readJobLines(
  source: TextSource,
): AsyncGenerator<JobEntry | InvalidJob, void, undefined> {
  for await (const line of readLines(source.open())) {
    if (!isSkipped(line)) yield parseLine(line, `${source.name}:${line.number}`);
  }
}

/** How many lines are not skipped. */
export async function countLines(source: TextSource): Promise<number> {
  let count = 0;
  for await (const line of readLines(source.open())) if (!isSkipped(line)) count++;
  return count;
}

/** Whether a line of a list is empty or a comment. */
export function isSkipped({ text }: Line): boolean {
  return text !== undefined && /^\s*(?:#|$)/.test(text);
}

function parseLine({ text }: Line, where: string): JobEntry | InvalidJob {
  if (text === undefined) return new InvalidJob(where, `it is longer than ${MAX_LINE_LENGTH} characters`);
  const line = text.trim();
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
