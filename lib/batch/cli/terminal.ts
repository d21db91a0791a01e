// The process of the program: its streams, its signals, and what is seen while a batch runs.
import type { Readable } from 'node:stream';
import { MultiBar } from 'cli-progress';
import { formatCount, formatDuration, formatRate, type Tally } from './summary.js';

/** A terminal or a stream of text. */
export interface ErrorOutput extends NodeJS.WritableStream {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

/** The parts of `process` that the program uses, so that specs can replace them. */
export interface CliProcess {
  /** Without the paths of Node and the program. */
  readonly args: readonly string[];
  /** Of the package. */
  readonly version: string;
  readonly stdin: Readable;
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: ErrorOutput;
  /** Calls the listener at each Ctrl-C or SIGTERM, until the function that it returns is called. */
  readonly onInterrupt: (listener: () => void) => () => void;
  /** Ends the process at once. */
  readonly exit: (status: number) => void;
}

/** Standard output, written no faster than it is read. Its reader may leave. */
export class Output {
  readonly #stream: NodeJS.WritableStream;
  #resume = (): void => undefined;
  /** What is written now is lost: the reader has gone, as `head` does, or {@link failure} says why. */
  isClosed = false;
  /** Why it cannot be written, where no reader has left: the disk is full, say. */
  failure: Error | undefined;

  /** @param whenClosed Called once if nothing more can be written. */
  constructor(stream: NodeJS.WritableStream, whenClosed: () => void = () => undefined) {
    this.#stream = stream;
    stream.on('drain', () => {
      this.#resume();
    });
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') this.failure ??= error;
      if (!this.isClosed) whenClosed();
      this.isClosed = true;
      this.#resume();
    });
  }

  /** Resolves when more may be written. */
  async write(text: string): Promise<void> {
    if (this.isClosed || this.#stream.write(text)) return;
    await new Promise<void>((resolve) => (this.#resume = resolve));
  }
}

export interface Progress {
  /** Writes a line that stays, above what moves. */
  readonly print: (line: string) => void;
  /** Ends it. What follows is written to the stream itself. */
  readonly stop: () => void;
}

const LINE_INTERVAL_MS = 10_000;

/**
 * Lines as they are printed, for files and logs.
 *
 * @param tally Adds a line every ten seconds that says how far the batch is.
 */
export function showLines(output: ErrorOutput, tally?: Tally): Progress {
  const print = (line: string): void => {
    output.write(`${line}\n`);
  };
  const timer = setInterval(() => {
    if (tally !== undefined) print(describe(tally));
  }, LINE_INTERVAL_MS).unref();
  const stop = (): void => {
    clearInterval(timer);
  };
  return { print, stop };
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
