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
  if (tally.count === 0 && how === 'finished') return 'There are no jobs.\n';
  const sizes = [
    ...(tally.bytes > 0 ? [formatBytes(tally.bytes)] : []),
    ...(tally.pixels >= 1e6 ? [`${formatCount(Math.round(tally.pixels / 1e6))} megapixels`] : []),
  ];
  const inLedger = ledger === undefined ? '' : ` (done before, says ${ledger})`;
  return [
    `${HEADINGS[how]} after ${formatDuration(tally.milliseconds)}${reason === undefined ? '' : `: ${printable(reason)} would meet every other job too`}.`,
    `  done     ${formatCount(tally.done)}${sizes.length > 0 ? ` (${sizes.join(', ')})` : ''}`,
    ...(tally.skipped > 0 ? [`  skipped  ${formatCount(tally.skipped)}${inLedger}`] : []),
    `  failed   ${formatCount(tally.failed)}`,
    ...(how === 'finished' || tally.total === undefined
      ? []
      : [`  left     ${formatCount(Math.max(0, tally.total - tally.count))}`]),
    ...describeFailures(end),
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
      wrap(printable(message), '    ', columns),
    ];
  });
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
  return ['npx express-image-save', ...shown.map(quote)].join(' ');
}
