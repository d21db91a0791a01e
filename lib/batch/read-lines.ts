// A stream of bytes → its lines, one chunk in memory at a time.
import type { Readable } from 'node:stream';

export interface Line {
  /** Counted from 1. */
  readonly number: number;
  /** Without its end. Undefined where it is longer than {@link MAX_LINE_LENGTH}. */
  readonly text: string | undefined;
}

/**
 * The longest line, in characters. No ledger has a longer one: a job and the code of an error have up to 65,536
 * characters each, of which JSON writes some as six.
 */
export const MAX_LINE_LENGTH = 1_048_576;

/** Reads UTF-8 text with ends of lines of any system, and a byte order mark or none. */
export async function* readLines(stream: Readable): AsyncGenerator<Line, void, undefined> {
  let number = 0;
  let rest = '';
  let isTooLong = false;
  stream.setEncoding('utf8');
  for await (const chunk of stream as AsyncIterable<string>) {
    let start = 0;
    for (let end = chunk.indexOf('\n'); end >= 0; end = chunk.indexOf('\n', start)) {
      const text = rest + chunk.slice(start, end);
      yield createLine(++number, isTooLong ? undefined : text);
      [start, rest, isTooLong] = [end + 1, '', false];
    }
    rest += chunk.slice(start);
    if (rest.length > MAX_LINE_LENGTH) [rest, isTooLong] = ['', true];
  }
  if (rest !== '' || isTooLong) yield createLine(++number, isTooLong ? undefined : rest);
}

function createLine(number: number, text: string | undefined): Line {
  if (text === undefined || text.length > MAX_LINE_LENGTH) return { number, text: undefined };
  const withoutMark = number === 1 ? text.replace(/^\uFEFF/, '') : text;
  return { number, text: withoutMark.endsWith('\r') ? withoutMark.slice(0, -1) : withoutMark };
}
