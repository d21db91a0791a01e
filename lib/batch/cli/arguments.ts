// The arguments of the command → what it is asked to do.
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { isIntegerBetween, MAX_TIMEOUT_MS } from '../../validate-options.js';
import {
  checkBatchOptions,
  DEFAULT_CONCURRENCY,
  DEFAULT_RETRIES,
  MAX_CONCURRENCY,
  MAX_RETRIES,
  parseServer,
  type BatchSettings,
} from '../options.js';
import type { JobList } from '../jobs/open-jobs.js';
import { UsageError } from '../types.js';

/** What the command is asked to do. */
export interface BatchArguments {
  readonly list: JobList;
  readonly settings: BatchSettings;
  readonly json: boolean;
  readonly quiet: boolean;
  readonly dryRun: boolean;
}

/** The command ends without a batch: help was asked for, or an argument is wrong. What it has to say is written. */
export class Exit extends Error {
  constructor(readonly status: number) {
    super('exit');
  }
}

export interface ArgumentOutput {
  /** Of the package, for `--version`. */
  readonly version: string;
  readonly writeOut: (text: string) => void;
  readonly writeErr: (text: string) => void;
}

interface RawOptions {
  readonly url?: string;
  readonly name?: string;
  readonly set?: readonly string[];
  readonly fromLog?: string;
  readonly column?: number;
  readonly server?: string;
  readonly header?: readonly string[];
  readonly concurrency: number;
  readonly retries: number;
  readonly timeout?: number;
  readonly ledger?: string;
  readonly json?: true;
  readonly quiet?: true;
  readonly dryRun?: true;
}

const AFTER_HELP = `
Examples:
  npx express-image-save batch jobs.txt --server http://localhost:3000 --ledger done.ndjson
  npx express-image-save batch --server http://localhost:3000 \\
    --url '/is/image/{picture}?wid={wid}' --name '{picture}-{wid}.jpg' \\
    --set picture=@pictures.txt --set wid=320,640
  npx express-image-save batch --server http://localhost:3000 \\
    --from-log access.log --name '{path}-{hash}.jpg'

A line of JOBS is "URL NAME", or JSON: {"url": "/is/image/shoe?wid=800", "name": "shoe-800.jpg"}.

Exit status: 0 all done, 1 some failed, 2 wrong usage, 130 stopped.`;

/**
 * Reads the arguments.
 *
 * @param args Without the program's own name.
 * @throws Exit There is no batch to run.
 * @throws UsageError The arguments do not fit each other; the message names the fix.
 */
export function parseArguments(args: readonly string[], output: ArgumentOutput): BatchArguments {
  let parsed: BatchArguments | undefined;
  const program = createProgram(output, (jobs, options) => {
    parsed = {
      list: chooseList(jobs, options),
      settings: createSettings(options),
      json: options.json === true,
      quiet: options.quiet === true,
      dryRun: options.dryRun === true,
    };
  });
  try {
    program.parse(args, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) throw new Exit(error.exitCode === 0 ? 0 : 2);
    throw error;
  }
  // Without a command, commander has shown the help.
  if (parsed === undefined) throw new Exit(2);
  return parsed;
}

function createProgram(
  { version, writeOut, writeErr }: ArgumentOutput,
  act: (jobs: string | undefined, options: RawOptions) => void,
): Command {
  const program = new Command('express-image-save')
    .description('Saves images on a server that speaks the saveToFile command.')
    .version(version)
    .exitOverride()
    .configureOutput({ writeOut, writeErr })
    .showHelpAfterError('Run it with --help to see all options.');
  program
    .command('batch')
    .copyInheritedSettings(program)
    .description('Saves many images: sends a save command for each job and follows it to its end.')
    .argument('[jobs]', 'a file with a job in each line, or - for standard input')
    .option('--url <template>', 'instead of JOBS: a URL with places, /is/image/{picture}?wid={wid}')
    .option('--name <template>', 'the name of each image, with places; for --url and --from-log')
    .option('--set <place=values>', 'values of a place: wid=320,640, or picture=@file', collect)
    .option('--from-log <file>', 'instead of JOBS: the GET requests of an access log, each URL once')
    .option(
      '--column <n>',
      'the column of the URL in the log, if its format is another one',
      integer(1, 1000),
    )
    .option('--server <origin>', 'the server of URLs that are paths: http://localhost:3000', origin)
    .option('--header <line>', "a header of every request: 'Authorization: Bearer …'", collect)
    .option(
      '--concurrency <n>',
      'requests at once, at most',
      integer(1, MAX_CONCURRENCY),
      DEFAULT_CONCURRENCY,
    )
    .option(
      '--retries <n>',
      'further attempts after a failure that may pass',
      integer(0, MAX_RETRIES),
      DEFAULT_RETRIES,
    )
    .option('--timeout <ms>', 'milliseconds for jobs that set none', integer(1, MAX_TIMEOUT_MS))
    .option('--ledger <file>', 'a line for each ended job; a second run does only what is missing')
    .option('--json', 'print each result as a line of JSON')
    .option('--quiet', 'print only errors')
    .option('--dry-run', 'print the commands and send nothing')
    .addHelpText('after', AFTER_HELP)
    .action(act);
  // The program runs it before it reads any arguments.
  program.command('demo').description('Serves a page to try saving on, at http://127.0.0.1:3000.');
  return program;
}

function collect(value: string, values: readonly string[] = []): readonly string[] {
  return [...values, value];
}

function integer(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : NaN;
    if (!isIntegerBetween(value, min, max))
      throw new InvalidArgumentError(`Give a whole number from ${min} to ${max}.`);
    return value;
  };
}

function origin(text: string): string {
  if (parseServer(text) === undefined)
    throw new InvalidArgumentError('Give scheme, host and port alone, as in http://localhost:3000.');
  return text;
}

function chooseList(jobs: string | undefined, { url, name, set = [], fromLog, column }: RawOptions): JobList {
  const chosen = [jobs, url, fromLog].filter((each) => each !== undefined);
  if (chosen.length === 0)
    throw new UsageError('Say what to save: a file of jobs, - for standard input, --url, or --from-log.');
  if (chosen.length > 1)
    throw new UsageError('Name one list of jobs: a file (or -), --url, or --from-log, not several of them.');
  if (set.length > 0 && url === undefined)
    throw new UsageError('--set fills the places of --url: add --url, or leave it out.');
  if (column !== undefined && fromLog === undefined)
    throw new UsageError('--column belongs to --from-log: add --from-log, or leave it out.');
  if (jobs !== undefined) {
    if (name !== undefined)
      throw new UsageError('--name belongs to --url and --from-log; the lines of a file have names.');
    return { kind: 'lines', path: jobs };
  }
  if (name === undefined)
    throw new UsageError(
      `Say how to name the images, as in --name '${url === undefined ? '{path}-{hash}.jpg' : '{picture}-{wid}.jpg'}'`,
    );
  if (url !== undefined) return { kind: 'matrix', url, name, set };
  return { kind: 'log', path: fromLog ?? '', name, column };
}

function createSettings({
  server,
  header,
  concurrency,
  retries,
  timeout,
  ledger,
}: RawOptions): BatchSettings {
  if (ledger === '') throw new UsageError('--ledger needs the path of a file, as in --ledger done.ndjson');
  return checkBatchOptions({ server, header, concurrency, retries, timeout, ledger });
}
