// A text → its lines, one chunk in memory at a time.

export interface Line {
  /** Counted from 1. */
  readonly number: number;
  /** Without its end. Undefined where it is longer than {@link MAX_LINE_LENGTH}. */
  readonly text: string | undefined;
}

/**
 * The longest line, in characters. No ledger has a longer one: a job, its further fields and a reply have up to 65,536
 * characters each, of which JSON writes some as six.
 */
export const MAX_LINE_LENGTH = 1_048_576;

/** Reads the lines of a text whose lines end in `\n`. */
export async function* readLines(chunks: AsyncIterable<string>): AsyncGenerator<Line, void, undefined> {
  let number = 0;
  let rest = '';
  let isTooLong = false;
  for await (const chunk of chunks) {
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
  return { number, text: text === undefined || text.length > MAX_LINE_LENGTH ? undefined : text };
}
