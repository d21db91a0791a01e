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
  parseShard,
  type BatchSettings,
} from '../options.js';
import type { JobList } from '../jobs/open-jobs.js';
import { UsageError } from '../types.js';

/** What the command is asked to do: to save, or to report what a ledger says is missing. */
export type CliTask =
  | ({ readonly kind: 'batch' } & BatchArguments)
  | { readonly kind: 'report'; readonly ledgers: readonly string[]; readonly csv: boolean };

export interface BatchArguments {
  readonly list: JobList;
  readonly settings: BatchSettings;
  readonly json: boolean;
  readonly quiet: boolean;
  readonly dryRun: boolean;
}

/** Ends the program without a batch. Help or the error is already printed. */
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
  readonly csv?: string;
  readonly fromLog?: string;
  readonly column?: number;
  readonly saves?: true;
  readonly under?: string;
  readonly server?: string;
  readonly header?: readonly string[];
  readonly concurrency: number;
  readonly retries: number;
  readonly timeout?: number;
  readonly ledger?: string;
  readonly shard?: string;
  readonly json?: true;
  readonly quiet?: true;
  readonly dryRun?: true;
}

const AFTER_HELP = `
Examples:
  npx express-image-save batch jobs.txt --server http://localhost:3000 --ledger done.ndjson
  npx express-image-save batch --csv pim.csv --server http://localhost:3000 --ledger done.ndjson \\
    --url '/is/image/{picture}?wid={width}' --name '{sku}-{width}.jpg'
  npx express-image-save batch report done.ndjson
  npx express-image-save batch --server http://localhost:3000 \\
    --url '/is/image/{picture}?wid={wid}' --name '{picture}-{wid}.jpg' \\
    --set picture=@pictures.txt --set wid=320,640
  npx express-image-save batch --server http://localhost:3000 \\
    --from-log access.log --under /is/image/ --name '{hash}.{ext}'

A line of JOBS is "URL NAME", or JSON: {"url": "/is/image/shoe?wid=800", "name": "shoe-800.jpg"}.

Exit status: 0 all done, 1 some failed, 2 wrong usage or no jobs, 130 stopped.`;

/**
 * Reads the arguments.
 *
 * @param args Without the program's own name.
 * @throws Exit There is no batch to run.
 * @throws UsageError The arguments do not fit each other; the message names the fix.
 */
export function parseArguments(args: readonly string[], output: ArgumentOutput): CliTask {
  let task: CliTask | undefined;
  const program = createProgram(output, (parsed) => {
    task = parsed;
  });
  try {
    program.parse(args, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) throw new Exit(error.exitCode === 0 ? 0 : 2);
    throw error;
  }
  // Without a command, commander has shown the help.
  if (task === undefined) throw new Exit(2);
  return task;
}

function createProgram(
  { version, writeOut, writeErr }: ArgumentOutput,
  act: (task: CliTask) => void,
): Command {
  const program = new Command('express-image-save')
    .description('Saves images on a server that speaks the saveToFile command.')
    .version(version)
    .exitOverride()
    .configureOutput({ writeOut, writeErr })
    .showHelpAfterError('Run it with --help to see all options.');
  const batch = program
    .command('batch')
    .copyInheritedSettings(program)
    .description('Saves many images: sends a save command for each job and follows it to its end.')
    .argument('[jobs]', 'a file with a job in each line, or - for standard input')
    .option('--csv <file>', 'instead of JOBS: a table; its first row names the places of --url and --name')
    .option(
      '--url <template>',
      'a URL with places, /is/image/{picture}?wid={wid}; fills them from --csv, JSON or --set',
    )
    .option('--name <template>', 'the name of each image, with places')
    .option('--set <place=values>', 'values of a place: wid=320,640, or picture=@file', collect)
    .option('--from-log <file>', 'instead of JOBS: the GET requests of an access log, each URL once')
    .option('--under <path>', 'only the requests of the log below this path')
    .option('--saves', 'the save commands of the log instead, with their names')
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
    .option('--shard <part>', 'only a part of the list: 2/4 is the second of four', shard)
    .option('--json', 'print each result as a line of JSON')
    .option('--quiet', 'print only errors')
    .option('--dry-run', 'print the commands and send nothing')
    .addHelpText('after', AFTER_HELP)
    .action((jobs: string | undefined, options: RawOptions) => {
      act({
        kind: 'batch',
        list: chooseList(jobs, options),
        settings: createSettings(options),
        json: options.json === true,
        quiet: options.quiet === true,
        dryRun: options.dryRun === true,
      });
    });
  // Its options are not those of `batch` behind it, where both have --csv.
  for (const command of [program, batch]) command.enablePositionalOptions();
  batch
    .command('report')
    .copyInheritedSettings(program)
    .description('Lists the jobs of a ledger that are not done, one a line. Exits with 1 if there is any.')
    .argument('<ledger...>', 'the ledger of a batch, or those of its parts')
    .option('--csv', 'as a table')
    .action((ledgers: readonly string[], { csv }: { readonly csv?: true }) => {
      act({ kind: 'report', ledgers, csv: csv === true });
    });
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

function shard(text: string): string {
  if (parseShard(text) === undefined)
    throw new InvalidArgumentError('Give a part and the number of parts, as in 2/4.');
  return text;
}

function chooseList(jobs: string | undefined, options: RawOptions): JobList {
  const { url, name, set = [], csv, fromLog, column, saves, under } = options;
  const lists = [jobs, csv, fromLog].filter((each) => each !== undefined);
  if (lists.length > 1)
    throw new UsageError('Name one list of jobs: a file (or -), --csv, or --from-log, not several of them.');
  if (lists.length === 0 && url === undefined)
    throw new UsageError(
      'Say what to save: a file of jobs, - for standard input, --csv, --url with --set, or --from-log.',
    );
  if (fromLog !== undefined) {
    if (url !== undefined || set.length > 0)
      throw new UsageError('--url and --set fill no places of --from-log: leave them out.');
    if ((name === undefined) !== (saves === true))
      throw new UsageError(
        saves === true
          ? 'The save commands of a log have names: leave --name out.'
          : "Say how to name the images, as in --name '{hash}.{ext}', or add --saves for the save commands of the log.",
      );
    return { kind: 'log', path: fromLog, name, column, under: under ?? '' };
  }
  if (column !== undefined || saves !== undefined || under !== undefined)
    throw new UsageError('--column, --saves and --under belong to --from-log: add it, or leave them out.');
  if (jobs !== undefined && url === undefined && name === undefined) {
    if (set.length > 0) throw new UsageError('--set fills the places of --url: add --url, or leave it out.');
    return { kind: 'lines', path: jobs, templates: undefined };
  }
  if (lists.length === 0 && name === undefined)
    throw new UsageError(`Say how to name the images, as in --name '{picture}-{wid}.jpg'`);
  const templates = { url: url ?? '{url}', name: name ?? '{name}', set };
  if (csv !== undefined) return { kind: 'csv', path: csv, templates };
  return jobs === undefined ? { kind: 'matrix', templates } : { kind: 'lines', path: jobs, templates };
}

function createSettings(options: RawOptions): BatchSettings {
  const { server, header, concurrency, retries, timeout, ledger, shard: part } = options;
  if (ledger === '') throw new UsageError('--ledger needs the path of a file, as in --ledger done.ndjson');
  return checkBatchOptions({ server, header, concurrency, retries, timeout, ledger, shard: part });
}
