// `express-image-save batch`: from its arguments to its exit status.
import { UsageError } from '../types.js';
import { Exit, parseArguments } from './arguments.js';
import type { CommandProcess } from './command-process.js';
import { openJobs } from './open-jobs.js';
import { printCommands } from './print-commands.js';
import { runBatch } from './run-batch.js';

/**
 * Runs the command.
 *
 * @returns The exit status: 0 all done or skipped, 1 some failed, 2 wrong usage or it could not start, 130 stopped.
 */
export async function main(proc: CommandProcess): Promise<number> {
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
