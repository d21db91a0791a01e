// `express-image-save batch`: from its arguments to its exit status, with progress, a summary, and a way to stop it.
import { Engine } from '../engine.js';
import { describeCounts } from '../jobs/access-log.js';
import { openJobs, type OpenJobs } from '../jobs/open-jobs.js';
import { readDone } from '../ledger.js';
import type { Outcome } from '../outcome.js';
import { prepareJobs } from '../prepare-job.js';
import { NOT_UTF8 } from '../text.js';
import { GaveUpError, UsageError } from '../types.js';
import { parseArguments, type BatchArguments } from './arguments.js';
import { printReport } from './report.js';
import { formatCount, formatDuration, plural, printable, summarize, Tally } from './summary.js';
import { showBar, showLines, write, writeAll, type CliProcess, type Progress } from './terminal.js';

/** Status when a signal has stopped the command, as shells have it: 128 + SIGINT. */
const INTERRUPTED = 130;

/** @returns The exit status: 0 all done or skipped, 1 some failed, 2 wrong usage or it could not start, 130 stopped. */
export async function main(proc: CliProcess): Promise<number> {
  const { stdin, stdout, stderr } = proc;
  // A reader may leave at any time, as `head` does. The saves that are running must not be lost with it.
  for (const stream of [stdout, stderr]) stream.on('error', () => undefined);
  try {
    const task = parseArguments(proc);
    if (typeof task === 'number') return task;
    if (task.kind === 'report') return await printReport(task.ledgers, task.csv, proc);
    const jobs = await openJobs(task.list, stdin);
    return await (task.dryRun ? printCommands : runBatch)(jobs, task, proc);
  } catch (error) {
    // An error of the system is no bug of ours.
    if (!(error instanceof UsageError || (error instanceof Error && 'syscall' in error))) throw error;
    stderr.write(`error: ${error.message}\n`);
    return 2;
  } finally {
    // Standard input would keep the process running.
    stdin.destroy();
  }
}

/**
 * Prints a URL for each job that is not done, one a line. Changes nothing, the ledger included.
 *
 * @returns The exit status: 1 where an entry of the list is no job.
 */
async function printCommands(
  { jobs }: OpenJobs,
  { settings }: BatchArguments,
  { stdout, stderr }: CliProcess,
): Promise<number> {
  const done = await readDone(settings.ledger);
  const invalid = new InvalidEntries((line) => stderr.write(`${line}\n`));
  async function* format(): AsyncGenerator<string> {
    for await (const { result, origin, path } of prepareJobs(jobs, settings, done)) {
      if (result === undefined) yield `${origin}${path}\n`;
      else invalid.add(result);
    }
  }
  try {
    await writeAll(stdout, format());
  } finally {
    invalid.end();
  }
  return invalid.count > 0 ? 1 : 0;
}

/** @returns The exit status. */
async function runBatch(
  { jobs, total, logCounts }: OpenJobs,
  { settings, json, quiet }: BatchArguments,
  proc: CliProcess,
): Promise<number> {
  const { stdout, stderr } = proc;
  const tally = new Tally(total);
  const isTerminal = stderr.isTTY === true && process.env['TERM'] !== 'dumb';
  const progress =
    isTerminal && !quiet ? showBar(stderr, tally) : showLines(stderr, quiet ? undefined : tally);
  const engine = new Engine(jobs, settings, quiet ? undefined : reportOutages(progress));
  const stopping = listenForStop(engine, progress, proc);
  const invalid = new InvalidEntries(progress.print);
  let reason: GaveUpError | undefined;
  let outputError: NodeJS.ErrnoException | undefined;
  try {
    for await (const result of engine.run()) {
      tally.add(result);
      invalid.add(result);
      if (!json || outputError !== undefined) continue;
      outputError = await write(stdout, `${JSON.stringify(result)}\n`);
      if (outputError !== undefined) engine.stop();
    }
  } catch (error) {
    if (!(error instanceof GaveUpError)) throw error;
    reason = error;
  } finally {
    stopping.end();
    invalid.end();
    progress.stop();
  }
  const isStopped = stopping.isStopped();
  if (quiet) {
    for (const line of tally.describeFailures().slice(1)) stderr.write(`${line}\n`);
  } else {
    const how = isStopped || outputError ? 'Stopped' : reason ? 'Gave up' : 'Finished';
    const log = describeCounts(logCounts);
    stderr.write(summarize({ tally, how, reason, log, ledger: settings.ledger, args: proc.args }));
  }
  if (outputError !== undefined && outputError.code !== 'EPIPE') throw outputError;
  if (isStopped) return INTERRUPTED;
  return tally.failed > 0 || outputError !== undefined ? 1 : 0;
}

/** So many entries that are no jobs are printed. */
const MAX_PRINTED = 10;

/** Prints the first entries that are no jobs and counts the others: a wrong template makes all of them so. */
class InvalidEntries {
  #printed = 0;
  #isEncodingTold = false;
  count = 0;

  constructor(private readonly print: (line: string) => unknown) {}

  add({ code, message = '' }: Outcome['result']): void {
    if (code !== 'invalid-job') return;
    this.count++;
    const isEncoding = message.endsWith(NOT_UTF8);
    if (this.#printed === MAX_PRINTED || (isEncoding && this.#isEncodingTold)) return;
    this.#isEncodingTold ||= isEncoding;
    this.#printed++;
    this.print(printable(message));
  }

  end(): void {
    const more = this.count - this.#printed;
    if (more > 0) this.print(`${formatCount(more)} more entries of the list are no jobs.`);
  }
}

/** An outage is reported no more often. */
const REPORT_INTERVAL_MS = 30_000;

/** A pause that the server asks for is reported from here on. */
const MIN_REPORTED_PAUSE_MS = 5000;

/** Says that a server cannot be reached, or asks for a pause: both take their time. */
function reportOutages(progress: Progress): (outcome: Outcome) => void {
  let reportedAt = -Infinity;
  return ({ isUnanswered, retryAfter = 0, result: { message = '' } }) => {
    const now = performance.now();
    const isPause = retryAfter >= MIN_REPORTED_PAUSE_MS;
    if ((isUnanswered !== true && !isPause) || now - reportedAt < REPORT_INTERVAL_MS) return;
    reportedAt = now;
    const when = isPause ? ` in ${formatDuration(retryAfter)}, as the server asks` : '';
    progress.print(printable(`${message} Trying again${when}.`));
  };
}

/** A second signal that comes sooner is the first one: npm passes on what the whole group of processes has got. */
const SAME_INTERRUPT_MS = 500;

function listenForStop(
  engine: Engine,
  progress: Progress,
  { stderr, onInterrupt, exit }: CliProcess,
): { isStopped(): boolean; end(): void } {
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
  return { isStopped: () => stoppedAt !== undefined, end };
}
