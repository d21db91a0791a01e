// The process of the program: its streams, its signals, and what is seen while a batch runs.
import type { Readable } from 'node:stream';
import { MultiBar } from 'cli-progress';
import { formatCount, formatDuration, formatRate, type Tally } from './summary.js';

/** A terminal or a stream of text. */
type ErrorOutput = NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };

/** The parts of `process` that the program uses, so that specs can replace them. */
export interface CliProcess {
  readonly args: readonly string[];
  readonly version: string;
  readonly stdin: Readable;
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: ErrorOutput;
  /** Calls the listener at each Ctrl-C or SIGTERM, until the function that it returns is called. */
  readonly onInterrupt: (listener: () => void) => () => void;
  readonly exit: (status: number) => void;
}

/**
 * Writes a text, and waits until its reader has room for more.
 *
 * @returns Why it is lost: `EPIPE` where the reader has left, as `head` does.
 */
export function write(
  stream: NodeJS.WritableStream,
  text: string,
): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    stream.write(text, (error) => {
      resolve(error ?? undefined);
    });
  });
}

/** Writes lines until the reader leaves. Rejects where they cannot be written: the disk is full, say. */
export async function writeAll(
  stream: NodeJS.WritableStream,
  lines: Iterable<string> | AsyncIterable<string>,
): Promise<void> {
  for await (const line of lines) {
    const error = await write(stream, line);
    if (error?.code === 'EPIPE') return;
    if (error !== undefined) throw error;
  }
}

export interface Progress {
  /** Writes a line that stays, above what moves. */
  readonly print: (line: string) => unknown;
  /** Ends it. What follows is written to the stream itself. */
  readonly stop: () => void;
}

const LINE_INTERVAL_MS = 10_000;

/** Lines for files and logs: those that are printed and, with a tally, one every ten seconds that says how far it is. */
export function showLines(output: ErrorOutput, tally?: Tally): Progress {
  const print = (line: string): boolean => output.write(`${line}\n`);
  const timer = tally && setInterval(() => print(describe(tally)), LINE_INTERVAL_MS).unref();
  return {
    print,
    stop: () => {
      clearInterval(timer);
    },
  };
}

/** A bar in the last line of a terminal, as wide as there is room. Without a total, there are only the numbers. */
export function showBar(output: ErrorOutput, tally: Tally): Progress {
  const bars = new MultiBar({
    stream: output,
    fps: 8,
    hideCursor: true,
    clearOnComplete: true,
    gracefulExit: false,
    forceRedraw: true,
    format: () => drawLine(tally, (output.columns ?? 80) - 1),
  });
  const bar = bars.create(tally.total ?? 0, 0);
  return {
    print: (line) => {
      bars.log(`${line}\n`);
      bars.update();
    },
    stop: () => {
      bar.stop();
      // What was printed since the bar was last drawn.
      bars.update();
      bars.stop();
    },
  };
}

const MIN_BAR_WIDTH = 10;
const MAX_BAR_WIDTH = 40;

/** @param columns The longest line that fits. */
export function drawLine(tally: Tally, columns: number): string {
  const text = describe(tally);
  const { total, count } = tally;
  const width = Math.min(MAX_BAR_WIDTH, columns - text.length - 3);
  if (total === undefined || width < MIN_BAR_WIDTH) return text.slice(0, columns);
  const filled = total === 0 ? width : Math.min(width, Math.floor((width * count) / total));
  return `[${'='.repeat(filled).padEnd(width)}] ${text}`;
}

/** `45 %, 450 of 1,000, 123/s, 3 failed, 5 s left` */
export function describe(tally: Tally): string {
  const { total = 0, count, failed } = tally;
  const rate = tally.rate();
  const end = `${formatRate(rate)}, ${formatCount(failed)} failed`;
  if (total === 0) return `${formatCount(count)} ended, ${end}`;
  const seconds = Math.round(Math.max(0, total - count) / rate);
  const left = rate > 0 ? `, ${formatDuration(1000 * seconds)} left` : '';
  return `${Math.floor((100 * count) / total)} %, ${formatCount(count)} of ${formatCount(total)}, ${end}${left}`;
}
