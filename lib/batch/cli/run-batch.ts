// Runs a batch as the command does: with progress, a summary, and a way to stop it.
import { Engine } from '../engine.js';
import { Ledger } from '../ledger.js';
import type { Outcome } from '../outcome.js';
import type { OpenJobs } from '../jobs/open-jobs.js';
import { NOT_UTF8 } from '../jobs/text.js';
import { prepareJobs } from '../prepare-job.js';
import { GaveUpError } from '../types.js';
import type { BatchArguments } from './arguments.js';
import { formatCount, formatDuration, plural, printable } from './format.js';
import { showBar, showLines, showNothing, type Progress } from './progress.js';
import { describeFailures, formatCommand, summarize, type BatchEnd } from './summary.js';
import { Tally } from './tally.js';
import { openOutput, type CliProcess } from './process.js';

/** Status when a signal has stopped the command, as shells have it: 128 + SIGINT. */
const INTERRUPTED = 130;

/** An outage is reported no more often, in milliseconds. */
const REPORT_INTERVAL_MS = 30_000;

/** A pause that the server asks for is reported from here on, in milliseconds. */
const MIN_REPORTED_PAUSE_MS = 5000;

/** Entries that are no jobs are printed, up to so many. */
const MAX_PRINTED = 10;

/** A second Ctrl-C that comes sooner is the first one, in milliseconds: npm passes on the signal that all have got. */
const SAME_INTERRUPT_MS = 500;

/** Characters in a line where no terminal says how many. */
const DEFAULT_COLUMNS = 80;

/**
 * @returns The exit status.
 * @throws UsageError The ledger cannot be used, or a job needs `--server`.
 */
export async function runBatch(
  { jobs, total, logCounts, checkCount }: OpenJobs,
  args: BatchArguments,
  proc: CliProcess,
): Promise<number> {
  const { settings } = args;
  const ledger = settings.ledger === undefined ? undefined : await Ledger.open(settings.ledger);
  const tally = new Tally(total);
  const progress = showProgress(args, tally, proc);
  const engine = new Engine(prepareJobs(jobs, settings)[Symbol.asyncIterator](), settings, ledger, {
    onRetry: reportOutages(progress, args),
  });
  const stopping = listenForStop(engine, progress, proc);
  const output = openOutput(proc.stdout, () => {
    engine.stop();
  });
  const invalid = new InvalidEntries((line) => {
    progress.print(line);
  });
  let gaveUp: GaveUpError | undefined;
  try {
    for await (const result of engine.run()) {
      tally.add(result);
      if (result.code === 'invalid-job') invalid.add(result.message ?? '');
      if (args.json) await output.write(`${JSON.stringify(result)}\n`);
    }
  } catch (error) {
    if (!(error instanceof GaveUpError)) throw error;
    gaveUp = error;
  } finally {
    stopping.end();
    invalid.end();
    progress.stop();
    await ledger?.close();
  }
  const isStopped = stopping.isStopped || output.isClosed;
  const how = isStopped ? 'stopped' : gaveUp === undefined ? 'finished' : 'gave up';
  if (how === 'finished') checkCount();
  const end: BatchEnd = {
    tally,
    how,
    reason: gaveUp?.code,
    folders: gaveUp?.folders,
    log: logCounts?.toString(),
    columns: Math.min(proc.stderr.columns ?? DEFAULT_COLUMNS, 120),
    ledger: settings.ledger,
    command: formatCommand(proc.args),
  };
  proc.stderr.write(args.quiet ? describeErrors(end) : summarize(end));
  if (output.failure !== undefined) throw output.failure;
  if (stopping.isStopped) return INTERRUPTED;
  return tally.failed > 0 || output.isClosed ? 1 : 0;
}

function showProgress({ quiet }: BatchArguments, tally: Tally, { stderr }: CliProcess): Progress {
  if (quiet) return showNothing(stderr);
  const isTerminal = stderr.isTTY === true && process.env['TERM'] !== 'dumb';
  return isTerminal ? showBar(stderr, tally) : showLines(stderr, tally);
}

/** Prints the first entries that are no jobs and counts the others: a wrong template makes all of them so. */
export class InvalidEntries {
  readonly #print: (line: string) => unknown;
  #printed = 0;
  #isEncodingTold = false;
  count = 0;

  constructor(print: (line: string) => unknown) {
    this.#print = print;
  }

  add(message: string): void {
    this.count++;
    const isEncoding = message.endsWith(NOT_UTF8);
    if (this.#printed === MAX_PRINTED || (isEncoding && this.#isEncodingTold)) return;
    this.#isEncodingTold ||= isEncoding;
    this.#printed++;
    this.#print(printable(message));
  }

  end(): void {
    const more = this.count - this.#printed;
    if (more > 0) this.#print(`${formatCount(more)} more entries of the list are no jobs.`);
  }
}

/** Says that a server cannot be reached, or asks for a pause: both take their time. */
function reportOutages(progress: Progress, { quiet }: BatchArguments): (outcome: Outcome) => void {
  let reportedAt = -Infinity;
  return ({ isUnanswered, retryAfter = 0, message = '' }) => {
    const now = performance.now();
    const isPause = retryAfter >= MIN_REPORTED_PAUSE_MS;
    if (quiet || (isUnanswered !== true && !isPause) || now - reportedAt < REPORT_INTERVAL_MS) return;
    reportedAt = now;
    const when = isPause ? ` in ${formatDuration(retryAfter)}, as the server asks` : '';
    progress.print(printable(`${message} Trying again${when}.`));
  };
}

function listenForStop(
  engine: Engine,
  progress: Progress,
  proc: CliProcess,
): { readonly isStopped: boolean; end(): void } {
  let stoppedAt: number | undefined;
  const end = proc.onInterrupt(() => {
    const now = performance.now();
    if (stoppedAt !== undefined) {
      if (now - stoppedAt < SAME_INTERRUPT_MS) return;
      progress.stop();
      proc.stderr.write('Stopped at once. The server may still end saves that were running.\n');
      proc.exit(INTERRUPTED);
      return;
    }
    stoppedAt = now;
    progress.print(
      `Stopping: waiting for ${plural(engine.inFlight, 'running save')}. Ctrl-C again stops at once.`,
    );
    engine.stop();
  });
  return {
    get isStopped() {
      return stoppedAt !== undefined;
    },
    end,
  };
}

function describeErrors(end: BatchEnd): string {
  const lines = describeFailures(end);
  return lines.length === 0 ? '' : `${lines.slice(1).join('\n')}\n`;
}
