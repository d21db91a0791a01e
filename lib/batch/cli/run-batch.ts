// Runs a batch as the program does: with progress, a summary, and a way to stop it.
import { Engine } from '../engine.js';
import { describeCounts } from '../jobs/access-log.js';
import type { OpenJobs } from '../jobs/open-jobs.js';
import { Ledger } from '../ledger.js';
import type { Outcome } from '../outcome.js';
import { NOT_UTF8 } from '../text.js';
import { GaveUpError } from '../types.js';
import type { BatchArguments } from './arguments.js';
import { formatCount, formatDuration, plural, printable } from './format.js';
import { summarize, Tally } from './summary.js';
import { Output, showBar, showLines, type CliProcess, type Progress } from './terminal.js';

/** Status when a signal has stopped the command, as shells have it: 128 + SIGINT. */
const INTERRUPTED = 130;

/** An outage is reported no more often. */
const REPORT_INTERVAL_MS = 30_000;

/** A pause that the server asks for is reported from here on. */
const MIN_REPORTED_PAUSE_MS = 5000;

/** Entries that are no jobs are printed, up to so many. */
const MAX_PRINTED = 10;

/** A second Ctrl-C that comes sooner is the first one: npm passes on the signal that all have got. */
const SAME_INTERRUPT_MS = 500;

/**
 * @returns The exit status.
 * @throws UsageError The list is empty, the ledger cannot be used, or a job needs `--server`.
 */
export async function runBatch(
  { jobs, total, logCounts }: OpenJobs,
  { settings, json, quiet }: BatchArguments,
  proc: CliProcess,
): Promise<number> {
  const { stderr } = proc;
  const ledger = settings.ledger === undefined ? undefined : await Ledger.open(settings.ledger);
  const tally = new Tally(total);
  const isTerminal = stderr.isTTY === true && process.env['TERM'] !== 'dumb';
  const progress =
    isTerminal && !quiet ? showBar(stderr, tally) : showLines(stderr, quiet ? undefined : tally);
  const print = (line: string): void => {
    progress.print(printable(line));
  };
  const engine = new Engine(jobs, settings, ledger, quiet ? undefined : reportOutages(print));
  const stopping = listenForStop(engine, progress, proc);
  const output = new Output(proc.stdout, () => {
    engine.stop();
  });
  const invalid = new InvalidEntries(print);
  let reason: GaveUpError | undefined;
  try {
    for await (const result of engine.run()) {
      tally.add(result);
      if (result.code === 'invalid-job') invalid.add(result.message ?? '');
      if (json) await output.write(`${JSON.stringify(result)}\n`);
    }
  } catch (error) {
    if (!(error instanceof GaveUpError)) throw error;
    reason = error;
  } finally {
    stopping.end();
    invalid.end();
    progress.stop();
    await ledger?.close();
  }
  if (quiet) {
    const lines = tally.describeFailures().slice(1);
    stderr.write(lines.map((line) => `${line}\n`).join(''));
  } else {
    const how =
      stopping.isStopped || output.isClosed ? 'stopped' : reason === undefined ? 'finished' : 'gave up';
    const log = describeCounts(logCounts);
    stderr.write(summarize({ tally, how, reason, log, ledger: settings.ledger, args: proc.args }));
  }
  if (output.failure !== undefined) throw output.failure;
  if (stopping.isStopped) return INTERRUPTED;
  return tally.failed > 0 || output.isClosed ? 1 : 0;
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
    this.#print(message);
  }

  end(): void {
    const more = this.count - this.#printed;
    if (more > 0) this.#print(`${formatCount(more)} more entries of the list are no jobs.`);
  }
}

/** Says that a server cannot be reached, or asks for a pause: both take their time. */
function reportOutages(print: (line: string) => void): (outcome: Outcome) => void {
  let reportedAt = -Infinity;
  return ({ isUnanswered, retryAfter = 0, result: { message = '' } }) => {
    const now = performance.now();
    const isPause = retryAfter >= MIN_REPORTED_PAUSE_MS;
    if ((isUnanswered !== true && !isPause) || now - reportedAt < REPORT_INTERVAL_MS) return;
    reportedAt = now;
    const when = isPause ? ` in ${formatDuration(retryAfter)}, as the server asks` : '';
    print(`${message} Trying again${when}.`);
  };
}

function listenForStop(
  engine: Engine,
  progress: Progress,
  { stderr, onInterrupt, exit }: CliProcess,
): { readonly isStopped: boolean; end(): void } {
  let stoppedAt: number | undefined;
  const end = onInterrupt(() => {
    const now = performance.now();
    if (stoppedAt === undefined) {
      stoppedAt = now;
      const running = plural(engine.inFlight, 'running save');
      progress.print(`Stopping: waiting for ${running}. Ctrl-C again stops at once.`);
      engine.stop();
    } else if (now - stoppedAt >= SAME_INTERRUPT_MS) {
      progress.stop();
      stderr.write('Stopped at once. The server may still end saves that were running.\n');
      exit(INTERRUPTED);
    }
  });
  return {
    get isStopped() {
      return stoppedAt !== undefined;
    },
    end,
  };
}
