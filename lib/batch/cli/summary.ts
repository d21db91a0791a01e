// The end of a batch in words: what was done, what failed and why, and how to go on.
import { formatBytes, formatCount, formatDuration, plural, printable, quote, wrap } from './format.js';
import type { Tally } from './tally.js';

/** How a batch ended. */
export interface BatchEnd {
  readonly tally: Tally;
  /**
   * `stopped`: by a signal, or because the reader of the results has gone. `gave up`: the same error would have met every
   * job.
   */
  readonly how: 'finished' | 'stopped' | 'gave up';
  /** The code of the error for which it gave up. */
  readonly reason?: string | undefined;
  /** The folders that the server lacks, where that is the reason. */
  readonly folders?: readonly string[] | undefined;
  /** What the lines of an access log were, in words. */
  readonly log?: string | undefined;
  readonly ledger: string | undefined;
  /** The command with its arguments. */
  readonly command: string;
  /** Characters in a line. */
  readonly columns: number;
}

const HEADINGS = { finished: 'Finished', stopped: 'Stopped', 'gave up': 'Gave up' } as const;

/** The whole summary, with an end of line. */
export function summarize(end: BatchEnd): string {
  const { tally, how, reason, ledger } = end;
  const sizes = [
    ...(tally.bytes > 0 ? [formatBytes(tally.bytes)] : []),
    ...(tally.pixels >= 1e6 ? [`${formatCount(Math.round(tally.pixels / 1e6))} megapixels`] : []),
  ];
  const inLedger = ledger === undefined ? '' : `done before, says ${ledger}`;
  const skipped =
    tally.repeated === 0
      ? inLedger
      : [`${formatCount(tally.repeated)} repeated in the list`, inLedger]
          .filter((each) => each !== '')
          .join(', others ');
  return [
    `${HEADINGS[how]} after ${formatDuration(tally.milliseconds)}${reason === undefined ? '' : `: ${printable(reason)} would meet every other job too`}.`,
    `  done     ${formatCount(tally.done)}${sizes.length > 0 ? ` (${sizes.join(', ')})` : ''}`,
    ...(tally.skipped > 0 ? [`  skipped  ${formatCount(tally.skipped)} (${skipped})`] : []),
    `  failed   ${formatCount(tally.failed)}`,
    ...(how === 'finished' || tally.total === undefined
      ? []
      : [`  left     ${formatCount(Math.max(0, tally.total - tally.count))}`]),
    ...(end.log === undefined ? [] : [`  log      ${end.log}`]),
    ...describeFailures(end),
    ...describeFolders(end.folders ?? []),
    ...describeHowToGoOn(end),
    '',
  ].join('\n');
}

/** The failures by code, with an example of each and what to do. */
export function describeFailures({ tally, columns }: Pick<BatchEnd, 'tally' | 'columns'>): string[] {
  return tally.failures.flatMap(([code, { count, example }]) => {
    const { url, name, message = '' } = example;
    return [
      '',
      `  ${formatCount(count)} × ${printable(code)}`,
      ...(url === '' ? [] : [`    ${printable(url)}  →  ${printable(name)}`]),
      // Entries that are no jobs are named where they stand, as they come.
      ...(code === 'invalid-job' && count > 1 ? [] : [wrap(printable(message), '    ', columns)]),
    ];
  });
}

/** Where the save folder is, only the server's operator knows. */
function describeFolders(folders: readonly string[]): string[] {
  if (folders.length === 0) return [];
  return [
    '',
    'Make these folders in the save folder of the server, or let it make folders with createFolders: true:',
    `  mkdir -p ${folders.map((folder) => quote(printable(folder))).join(' ')}`,
  ];
}

function describeHowToGoOn({ tally, how, ledger, command, columns }: BatchEnd): string[] {
  const missing = how !== 'finished' || tally.failed > 0;
  if (!missing) return [];
  if (ledger === undefined) {
    const advice =
      'Without a ledger, the same command starts from the beginning. With --ledger done.ndjson, the next run does only what is missing.';
    return ['', wrap(advice, '', columns)];
  }
  const what = how === 'finished' ? `try ${plural(tally.failed, 'failed job')} again` : 'go on';
  return ['', `The ledger ${ledger} knows what is done. To ${what}:`, `  ${command}`];
}

/** The command as a shell takes it. Values of headers, which may be secrets, are left out. */
export function formatCommand(args: readonly string[]): string {
  const shown = args.map((argument, index) => {
    if (args[index - 1] === '--header') return argument.replace(/:.*/s, ': …');
    return argument.replace(/^(--header=[^:]*):.*/s, '$1: …');
  });
  return ['npx express-image-save', ...shown.map((argument) => quote(argument))].join(' ');
}
