// `--dry-run`: the commands that a batch would send.
import { Ledger } from '../ledger.js';
import { prepareJobs } from '../prepare-job.js';
import { InvalidJob } from '../types.js';
import type { BatchArguments } from './arguments.js';
import type { CommandProcess } from './command-process.js';
import { printable } from './format.js';
import type { OpenJobs } from './open-jobs.js';
import { openOutput } from './write-out.js';

/**
 * Prints a URL for each job that is not done, one a line. Changes nothing, the ledger included.
 *
 * @returns The exit status: 1 where an entry of the list is no job.
 */
export async function printCommands(
  { jobs }: OpenJobs,
  { settings }: BatchArguments,
  { stdout, stderr }: Pick<CommandProcess, 'stdout' | 'stderr'>,
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
