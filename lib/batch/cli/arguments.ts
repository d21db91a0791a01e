// The arguments of the command → what it is asked to do.
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import type { JobList } from '../jobs/open-jobs.js';
import { checkBatchOptions, SHARED_OPTIONS, wholeNumber } from '../options.js';
import type { BatchSettings, ProgramOption } from '../options.js';
import { UsageError, type SaveAllOptions } from '../types.js';
import type { CliProcess } from './terminal.js';

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

/** The options as they are given: those of `saveAll()`, and those that say what to save and what to print. */
type RawOptions = SaveAllOptions &
  Partial<Record<'url' | 'name' | 'csv' | 'fromLog' | 'under', string>> &
  Partial<Record<'saves' | 'json' | 'quiet' | 'dryRun', boolean>> & {
    readonly set?: readonly string[];
    readonly column?: number;
  };

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

type Printer = Pick<CliProcess, 'version' | 'stdout' | 'stderr'>;

/**
 * @returns What to do; or the exit status, where help or an error is printed and there is nothing to do.
 * @throws UsageError The arguments do not fit each other; the message names the fix.
 */
export function parseArguments(proc: Printer & Pick<CliProcess, 'args'>): CliTask | number {
  // Without a command, commander shows the help.
  let task: CliTask | number = 2;
  const program = createProgram(proc, (parsed) => (task = parsed));
  try {
    program.parse(proc.args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? 0 : 2;
  }
  return task;
}

function createProgram({ version, stdout, stderr }: Printer, act: (task: CliTask) => void): Command {
  const program = new Command('express-image-save')
    .description('Saves images on a server that speaks the saveToFile command.')
    .version(version)
    .exitOverride()
    .configureOutput({ writeOut: (text) => stdout.write(text), writeErr: (text) => stderr.write(text) })
    .showHelpAfterError('Run it with --help to see all options.');
  const fromLog = new Option('--from-log <file>', FROM_LOG).conflicts(['csv', 'url', 'set']);
  const saves = new Option('--saves', 'the save commands of the log instead, with their names');
  const batch = program
    .command('batch')
    .copyInheritedSettings(program)
    .description('Saves many images: sends a save command for each job and follows it to its end.')
    .argument('[jobs]', 'a file with a job in each line, or - for standard input')
    .option('--csv <file>', 'instead of JOBS: a table; its first row names the places of --url and --name')
    .option('--url <template>', URL_TEMPLATE)
    .option('--name <template>', 'the name of each image, with places')
    .option('--set <place=values>', 'values of a place: wid=320,640, or picture=@file', collect)
    .addOption(fromLog)
    .option('--under <path>', 'only the requests of the log below this path')
    .addOption(saves.conflicts('name'));
  for (const option of [COLUMN, ...Object.values(SHARED_OPTIONS)]) batch.addOption(createOption(option));
  batch
    .option('--json', 'print each result as a line of JSON')
    .option('--quiet', 'print only errors')
    .option('--dry-run', 'print the commands and send nothing')
    .addHelpText('after', AFTER_HELP)
    .action((jobs: string | undefined, options: RawOptions) => {
      const { json = false, quiet = false, dryRun = false } = options;
      const shared = Object.entries(options).filter(([name]) => Object.hasOwn(SHARED_OPTIONS, name));
      const settings = checkBatchOptions(Object.fromEntries(shared));
      act({ kind: 'batch', list: chooseList(jobs, options), settings, json, quiet, dryRun });
    });
  // Its options are not those of `batch` behind it, where both have --csv.
  for (const command of [program, batch]) command.enablePositionalOptions();
  batch
    .command('report')
    .copyInheritedSettings(program)
    .description('Lists the jobs of a ledger that are not done, one a line. Exits with 1 if there is any.')
    .argument('<ledger...>', 'the ledger of a batch, or those of its parts')
    .option('--csv', 'as a table')
    .action((ledgers: readonly string[], { csv = false }: { readonly csv?: boolean }) => {
      act({ kind: 'report', ledgers, csv });
    });
  // The program runs it before it reads any arguments.
  program.command('demo').description('Serves a page to try saving on, at http://127.0.0.1:3000.');
  return program;
}

const FROM_LOG = 'instead of JOBS: the GET requests of an access log, each URL once';
const URL_TEMPLATE = 'a URL with places, /is/image/{picture}?wid={wid}; fills them from --csv, JSON or --set';

function collect(value: string, values: readonly string[] = []): readonly string[] {
  return [...values, value];
}

const COLUMN: ProgramOption = {
  flags: '--column <n>',
  usage: 'the column of the URL in the log, if its format is another one',
  ...wholeNumber(1, 1000),
};

function createOption({ flags, usage, kind, default: value, expected, isValid }: ProgramOption): Option {
  const option = new Option(flags, usage);
  if (value !== undefined) option.default(value);
  if (kind === 'repeatable') return option.argParser(collect);
  return option.argParser((text) => {
    const given = kind === 'number' ? (/^\d+$/.test(text) ? Number(text) : NaN) : text;
    if (!isValid(given)) throw new InvalidArgumentError(`It must be ${expected}.`);
    return given;
  });
}

function chooseList(jobs: string | undefined, options: RawOptions): JobList {
  const { url, name, set = [], csv, fromLog, column, saves = false, under } = options;
  const refuse = (message: string): never => {
    throw new UsageError(message);
  };
  if (jobs !== undefined && (csv ?? fromLog) !== undefined)
    refuse('Name one list of jobs: a file (or -), --csv, or --from-log, not several of them.');
  if (fromLog !== undefined) {
    if (name === undefined && !saves)
      refuse(
        "Say how to name the images, as in --name '{hash}.{ext}', or add --saves for the save commands of the log.",
      );
    return { kind: 'log', path: fromLog, name, column, under: under ?? '' };
  }
  if ((column ?? under) !== undefined || saves)
    refuse('--column, --saves and --under belong to --from-log: add it, or leave them out.');
  const path = jobs ?? csv;
  const templates = { url: url ?? '{url}', name: name ?? '{name}', set };
  if (path === undefined) {
    if (url === undefined)
      refuse(
        'Say what to save: a file of jobs, - for standard input, --csv, --url with --set, or --from-log.',
      );
    if (name === undefined) refuse(`Say how to name the images, as in --name '{picture}-{wid}.jpg'`);
    return { kind: 'matrix', templates };
  }
  if (csv !== undefined) return { kind: 'csv', path, templates };
  if ((url ?? name) !== undefined) return { kind: 'lines', path, templates };
  if (set.length > 0) refuse('--set fills the places of --url: add --url, or leave it out.');
  return { kind: 'lines', path, templates: undefined };
}
