// What is seen while a batch runs: a bar on a terminal, otherwise a line every ten seconds.
import { MultiBar, type SingleBar } from 'cli-progress';
import { formatCount, formatDuration, formatRate } from './format.js';
import type { ErrorOutput } from './process.js';
import type { Tally } from './tally.js';

const LINE_INTERVAL_MS = 10_000;
const MIN_BAR_WIDTH = 10;
const MAX_BAR_WIDTH = 40;

export interface Progress {
  /** Writes a line that stays, above what moves. */
  print(line: string): void;
  /** Ends it. What follows is written to the stream itself. */
  stop(): void;
}

/** Shows nothing of its own, and lines as they come. */
export function showNothing(output: ErrorOutput): Progress {
  return { print: (line) => output.write(`${line}\n`), stop: () => undefined };
}

/** A line every ten seconds, for files and logs. */
export function showLines(output: ErrorOutput, tally: Tally): Progress {
  const timer = setInterval(() => output.write(`${describe(tally)}\n`), LINE_INTERVAL_MS);
  return {
    print: (line) => output.write(`${line}\n`),
    stop: () => {
      clearInterval(timer);
    },
  };
}

/** A bar in the last line of a terminal, as wide as there is room. Without a total, there are only the numbers. */
export function showBar(output: NodeJS.WritableStream & ErrorOutput, tally: Tally): Progress {
  const bars = new MultiBar({
    stream: output,
    fps: 8,
    hideCursor: true,
    clearOnComplete: true,
    gracefulExit: false,
    forceRedraw: true,
    format: () => drawLine(tally, (output.columns ?? 80) - 1),
  });
  const bar: SingleBar = bars.create(tally.total ?? 0, 0);
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

/** @param columns The longest line that fits. */
export function drawLine(tally: Tally, columns: number): string {
  const text = describe(tally);
  const { total, count } = tally;
  const width = Math.min(MAX_BAR_WIDTH, columns - text.length - 3);
  if (total === undefined || width < MIN_BAR_WIDTH) return text.slice(0, columns);
  const filled = total === 0 ? width : Math.min(width, Math.floor((width * count) / total));
  return `[${'='.repeat(filled)}${' '.repeat(width - filled)}] ${text}`;
}

/** `45 %, 450 of 1,000, 123/s, 3 failed, 5 s left` */
export function describe(tally: Tally): string {
  const { total, count, failed } = tally;
  const rate = tally.rate();
  const left = total === undefined || rate === 0 ? undefined : Math.max(0, total - count) / rate;
  return [
    ...(total === undefined || total === 0
      ? [`${formatCount(count)} ended`]
      : [`${Math.floor((100 * count) / total)} %`, `${formatCount(count)} of ${formatCount(total)}`]),
    formatRate(rate),
    `${formatCount(failed)} failed`,
    ...(left === undefined ? [] : [`${formatDuration(1000 * Math.round(left))} left`]),
  ].join(', ');
}
