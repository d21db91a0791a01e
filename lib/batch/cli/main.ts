// `express-image-save batch`: from its arguments to its exit status.
import { UsageError } from '../types.js';
import { Exit, parseArguments, type BatchArguments } from './arguments.js';
import { openJobs, type OpenJobs } from '../jobs/open-jobs.js';
import { Ledger } from '../ledger.js';
import { prepareJobs } from '../prepare-job.js';
import { InvalidJob } from '../types.js';
import { printable } from './format.js';
import { openOutput, type CliProcess } from './process.js';
import { runBatch } from './run-batch.js';

/**
 * Runs the command.
 *
 * @returns The exit status: 0 all done or skipped, 1 some failed, 2 wrong usage or it could not start, 130 stopped.
 */
export async function main(proc: CliProcess): Promise<number> {
  const { args, version, stdin, stdout, stderr } = proc;
  // A reader may leave at any time, as `head` does. The saves that are running must not be lost with it.
  for (const stream of [stdout, stderr]) stream.on('error', () => undefined);
  try {
    const parsed = parseArguments(args, {
      version,
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => stderr.write(text),
    });
    const jobs = await openJobs(parsed.list, stdin);
    return await (parsed.dryRun ? printCommands : runBatch)(jobs, parsed, proc);
  } catch (error) {
    if (error instanceof Exit) return error.status;
    if (!isForUser(error)) throw error;
    stderr.write(`error: ${error.message}\n`);
    return 2;
  } finally {
    // Standard input would keep the process running.
    stdin.destroy();
  }
}

/** An error whose message is enough: no bug of ours. */
function isForUser(error: unknown): error is Error {
  return error instanceof UsageError || (error instanceof Error && 'syscall' in error);
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
  const ledger = settings.ledger === undefined ? undefined : await Ledger.read(settings.ledger);
  const output = openOutput(stdout);
  let status = 0;
  for await (const prepared of prepareJobs(jobs, settings)) {
    if (prepared instanceof InvalidJob) {
      status = 1;
      stderr.write(`${printable(`${prepared.where}: ${prepared.reason}`)}\n`);
    } else if (ledger?.isDone(prepared.job) !== true) {
      const { origin, path } = prepared.request;
      await output.write(`${origin}${path}\n`);
    }
    if (output.isClosed) break;
  }
  return status;
}
