// Runs a batch as the command does: with progress, a summary, and a way to stop it.
import { Engine } from '../engine.js';
import { Ledger } from '../ledger.js';
import type { Outcome } from '../outcome.js';
import type { OpenJobs } from '../jobs/open-jobs.js';
import { prepareJobs } from '../prepare-job.js';
import { GaveUpError } from '../types.js';
import type { BatchArguments } from './arguments.js';
import { plural, printable } from './format.js';
import { showBar, showLines, showNothing, type Progress } from './progress.js';
import { describeFailures, formatCommand, summarize, type BatchEnd } from './summary.js';
import { Tally } from './tally.js';
import { openOutput, type CliProcess } from './process.js';

/** Status when a signal has stopped the command, as shells have it: 128 + SIGINT. */
const INTERRUPTED = 130;

/** An outage is reported no more often, in milliseconds. */
const REPORT_INTERVAL_MS = 30_000;

/** Characters in a line where no terminal says how many. */
const DEFAULT_COLUMNS = 80;

/**
 * @returns The exit status.
 * @throws UsageError The ledger cannot be used, or a job needs `--server`.
 */
export async function runBatch(
  { jobs, total }: OpenJobs,
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
  let how: BatchEnd['how'] = 'finished';
  let reason: string | undefined;
  try {
    for await (const result of engine.run()) {
      tally.add(result);
      if (result.code === 'invalid-job') progress.print(printable(result.message ?? ''));
      if (args.json) await output.write(`${JSON.stringify(result)}\n`);
    }
  } catch (error) {
    if (!(error instanceof GaveUpError)) throw error;
    how = 'gave up';
    reason = error.code;
  } finally {
    stopping.end();
    progress.stop();
    await ledger?.close();
  }
  if (stopping.isStopped || output.isClosed) how = 'stopped';
  const columns = Math.min(proc.stderr.columns ?? DEFAULT_COLUMNS, 120);
  const end = { tally, how, reason, columns, ledger: settings.ledger, command: formatCommand(proc.args) };
  proc.stderr.write(args.quiet ? describeErrors(end) : summarize(end));
  if (stopping.isStopped) return INTERRUPTED;
  return tally.failed > 0 || output.isClosed ? 1 : 0;
}

function showProgress({ quiet }: BatchArguments, tally: Tally, { stderr }: CliProcess): Progress {
  if (quiet) return showNothing(stderr);
  const isTerminal = stderr.isTTY === true && process.env['TERM'] !== 'dumb';
  return isTerminal ? showBar(stderr, tally) : showLines(stderr, tally);
}

/** Says that a server cannot be reached and is asked again, now and then: that takes its time. */
function reportOutages(progress: Progress, { quiet }: BatchArguments): (outcome: Outcome) => void {
  let reportedAt = -Infinity;
  return ({ isUnanswered, message = '' }) => {
    const now = performance.now();
    if (quiet || isUnanswered !== true || now - reportedAt < REPORT_INTERVAL_MS) return;
    reportedAt = now;
    progress.print(printable(`${message} Trying again.`));
  };
}

function listenForStop(
  engine: Engine,
  progress: Progress,
  proc: CliProcess,
): { readonly isStopped: boolean; end(): void } {
  let isStopped = false;
  const end = proc.onInterrupt(() => {
    if (isStopped) {
      progress.stop();
      proc.stderr.write('Stopped at once. The server may still end saves that were running.\n');
      proc.exit(INTERRUPTED);
      return;
    }
    isStopped = true;
    progress.print(
      `Stopping: waiting for ${plural(engine.inFlight, 'running save')}. Ctrl-C again stops at once.`,
    );
    engine.stop();
  });
  return {
    get isStopped() {
      return isStopped;
    },
    end,
  };
}

function describeErrors(end: BatchEnd): string {
  const lines = describeFailures(end);
  return lines.length === 0 ? '' : `${lines.slice(1).join('\n')}\n`;
}
