// Text files, pipes and standard input: UTF-8 whose lines end in `\n`, one chunk in memory at a time.
import { constants, createReadStream, openSync, statSync } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { InvalidJob, UsageError, type JobEntry } from './types.js';

/** In characters. In a ledger, a job, its further fields and a reply have up to 65,536 each, some of them six in JSON. */
export const MAX_LINE_LENGTH = 1_048_576;

export interface TextSource {
  /** For messages. */
  readonly name: string;
  /** Whether it can be read more than once: standard input and pipes cannot. */
  readonly isFile: boolean;
  /** @throws UsageError It is not UTF-8 but UTF-16 or compressed. */
  read(): AsyncIterable<string>;
}

/** What the first characters say of a file that is no text: bytes that are not UTF-8 are read as U+FFFD. */
const OTHER_FORMATS: readonly (readonly [pattern: RegExp, what: string])[] = [
  [/^\u001f\ufffd/, 'compressed (gzip). Unpack it: gunzip -c FILE | npx express-image-save batch … -'],
  [/^PK\u0003\u0004/, 'a ZIP archive, or a workbook of Excel. Unpack it, or save the workbook as CSV UTF-8.'],
  [/^(?:BZh\d|\ufffd7zXZ\0|\(\ufffd\/\ufffd)/, 'compressed. Unpack it.'],
  // A log that was emptied while it was written begins with many zeros.
  [/^(?:\ufffd\ufffd|(?!\0{4})[^\n]{0,3}\0)/, 'UTF-16. Save it as UTF-8.'],
];

/**
 * A file, or standard input for `-`.
 *
 * @throws UsageError The file cannot be read.
 */
export async function openText(path: string, stdin: Readable): Promise<TextSource> {
  if (path === '-') return { name: 'stdin', isFile: false, read: () => readText(stdin, 'Standard input') };
  try {
    const stats = await stat(path);
    if (stats.isDirectory()) throw new UsageError(`${path} is a folder. Name a file.`);
    await access(path, constants.R_OK);
    const open = (): Readable => {
      if (stats.isFile()) return openFile(path);
      return stats.isFIFO() ? openPipe(path, stdin) : createReadStream(path);
    };
    return { name: path, isFile: stats.isFile(), read: () => readText(open(), path) };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    throw new UsageError(
      code === 'ENOENT'
        ? `There is no file ${path}. Check the name, or use - for standard input.`
        : `The file ${path} cannot be read (${message}). Change its rights, or name another file.`,
    );
  }
}

/** Reads what a file has now. The ledger, which may be the list too, grows with each job: its end would never come. */
function openFile(path: string): Readable {
  const { size } = statSync(path);
  return size === 0 ? Readable.from([]) : createReadStream(path, { end: size - 1 });
}

/** A stream of a file would keep a thread in a read that ends only when the other side writes, also at the exit. */
function openPipe(path: string, stdin: Readable): Readable {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const socket = new Socket({ fd, readable: true, writable: false });
  // The program closes standard input when it ends. A pipe that is never written would keep it running.
  stdin.once('close', () => socket.destroy());
  return socket;
}

async function* readText(stream: Readable, name: string): AsyncIterable<string> {
  let [isFirst, endsInReturn] = [true, false];
  for await (const chunk of stream.setEncoding('utf8') as AsyncIterable<string>) {
    const [, format] = (isFirst ? OTHER_FORMATS.find(([pattern]) => pattern.test(chunk)) : undefined) ?? [];
    if (format !== undefined) throw new UsageError(`${name} is ${format.replace('FILE', name)}`);
    // A \r\n that two chunks share ends one line.
    const start = (isFirst && chunk.startsWith('\ufeff')) || (endsInReturn && chunk.startsWith('\n')) ? 1 : 0;
    [isFirst, endsInReturn] = [false, chunk.endsWith('\r')];
    yield chunk.slice(start).replace(/\r\n?/g, '\n');
  }
}

export interface Line {
  /** Counted from 1. */
  readonly number: number;
  /** Without its end. Undefined where it is longer than {@link MAX_LINE_LENGTH}. */
  readonly text: string | undefined;
}

export async function* readLines(chunks: AsyncIterable<string>): AsyncIterable<Line> {
  let [number, rest, isTooLong] = [0, '', false];
  const end = (text: string): Line => {
    const isWhole = !isTooLong && text.length <= MAX_LINE_LENGTH;
    [rest, isTooLong] = ['', false];
    return { number: ++number, text: isWhole ? text : undefined };
  };
  for await (const chunk of chunks) {
    let start = 0;
    for (let at = chunk.indexOf('\n'); at >= 0; at = chunk.indexOf('\n', start)) {
      yield end(rest + chunk.slice(start, at));
      start = at + 1;
    }
    rest += chunk.slice(start);
    if (rest.length > MAX_LINE_LENGTH) [rest, isTooLong] = ['', true];
  }
  if (rest !== '' || isTooLong) yield end(rest);
}

export function isSkipped({ text }: Line): boolean {
  return text !== undefined && /^\s*(?:#|$)/.test(text);
}

export const NOT_UTF8 = 'it is not UTF-8: convert the list, as with iconv -f WINDOWS-1252 -t UTF-8';

/** Why a part of a list is no job, whatever it says. */
export function checkText(text: string | undefined): InvalidJob | undefined {
  if (text?.includes('\ufffd') === false) return undefined;
  const tooLong = `it is longer than ${MAX_LINE_LENGTH} characters: shorten it, or leave it out`;
  return new InvalidJob(text === undefined ? tooLong : NOT_UTF8);
}

/** The lines of a list, without white space at their ends. Empty lines and lines that start with # are skipped. */
export async function* readListLines(source: TextSource): AsyncIterable<JobEntry<string | InvalidJob>> {
  for await (const line of readLines(source.read())) {
    if (isSkipped(line)) continue;
    yield { where: `${source.name}:${line.number}`, job: checkText(line.text) ?? line.text?.trim() ?? '' };
  }
}

export async function countAll(entries: AsyncIterable<unknown>): Promise<number> {
  const iterator = entries[Symbol.asyncIterator]();
  let count = 0;
  while ((await iterator.next()).done !== true) count++;
  return count;
}
