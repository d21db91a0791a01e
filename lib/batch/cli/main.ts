// `express-image-save batch`: from its arguments to its exit status.
import { openJobs, type OpenJobs } from '../jobs/open-jobs.js';
import { readDone } from '../ledger.js';
import { prepareJobs } from '../prepare-job.js';
import { InvalidJob, UsageError } from '../types.js';
import { parseArguments, type BatchArguments } from './arguments.js';
import { printable } from './format.js';
import { printReport } from './report.js';
import { InvalidEntries, runBatch } from './run-batch.js';
import { Output, type CliProcess } from './terminal.js';

/**
 * Runs the command.
 *
 * @returns The exit status: 0 all done or skipped, 1 some failed, 2 wrong usage or it could not start, 130 stopped.
 */
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
  { stdout, stderr }: Pick<CliProcess, 'stdout' | 'stderr'>,
): Promise<number> {
  const done = settings.ledger === undefined ? undefined : await readDone(settings.ledger);
  const output = new Output(stdout);
  const invalid = new InvalidEntries((line) => stderr.write(`${printable(line)}\n`));
  try {
    for await (const prepared of prepareJobs(jobs, settings)) {
      if (prepared instanceof InvalidJob) {
        invalid.add(`${prepared.where}: ${prepared.reason}`);
      } else if (!prepared.isRepeated && done?.has(prepared.url, prepared.name) !== true) {
        const { origin, path } = prepared.request;
        await output.write(`${origin}${path}\n`);
      }
      if (output.isClosed) break;
    }
  } finally {
    invalid.end();
  }
  if (output.failure !== undefined) throw output.failure;
  return invalid.count > 0 ? 1 : 0;
}
