// The results of a batch in numbers and in words: what was done, what failed and why, and how to go on.
import type { GaveUpError, SaveResult } from '../types.js';

/** Results further back do not count for the rate. */
const RATE_WINDOW_MS = 15_000;
const RATE_STEP_MS = 1000;

export class Tally {
  readonly #begin = performance.now();
  readonly #failures = new Map<string, { count: number; readonly example: SaveResult }>();
  /** How many had been sent at some moments of the last seconds. */
  readonly #samples: { readonly at: number; readonly sent: number }[] = [{ at: this.#begin, sent: 0 }];
  done = 0;
  skipped = 0;
  /** Of those that are skipped: the list had them before. */
  repeated = 0;
  failed = 0;
  bytes = 0;
  pixels = 0;

  /** @param total How many jobs there are; undefined where that is not known beforehand. */
  constructor(readonly total: number | undefined) {}

  /** Jobs that have ended. */
  get count(): number {
    return this.done + this.skipped + this.failed;
  }

  get milliseconds(): number {
    return performance.now() - this.#begin;
  }

  add(result: SaveResult): void {
    const { status, code = 'failed', bytes = 0, pixels = 0 } = result;
    this[status]++;
    if (code === 'repeated') this.repeated++;
    this.bytes += bytes;
    this.pixels += pixels;
    if (status !== 'failed') return;
    const failures = this.#failures.get(code) ?? { count: 0, example: result };
    failures.count++;
    this.#failures.set(code, failures);
  }

  /** Recent jobs per second, without skipped ones. */
  rate(now = performance.now()): number {
    const sent = this.done + this.failed;
    const samples = this.#samples;
    if (now - (samples.at(-1)?.at ?? 0) >= RATE_STEP_MS) samples.push({ at: now, sent });
    while (samples.length > 2 && now - (samples[1]?.at ?? now) > RATE_WINDOW_MS) samples.shift();
    const [first = { at: now, sent }] = samples;
    return now <= first.at ? 0 : (1000 * (sent - first.sent)) / (now - first.at);
  }

  /** The failures by code, the most frequent first, with an example of each and what to do. */
  describeFailures(): string[] {
    const failures = [...this.#failures].sort(([, a], [, b]) => b.count - a.count);
    return failures.flatMap(([code, { count, example }]) => {
      const { url, name, message = '' } = example;
      const lines = ['', `  ${formatCount(count)} × ${printable(code)}`];
      if (url !== '') lines.push(`    ${printable(url)}  →  ${printable(name)}`);
      // Entries that are no jobs are named where they stand, as they come.
      if (code !== 'invalid-job' || count === 1) lines.push(`    ${printable(message)}`);
      return lines;
    });
  }
}

export interface BatchEnd {
  readonly tally: Tally;
  /** `Stopped`: by a signal, or because the reader of the results has gone. */
  readonly how: 'Finished' | 'Stopped' | 'Gave up';
  readonly reason: Pick<GaveUpError, 'code' | 'folders'> | undefined;
  /** What the lines of an access log were, in words; empty without a log. */
  readonly log: string;
  readonly ledger: string | undefined;
  readonly args: readonly string[];
}

/** The whole summary, with an end of line. */
export function summarize(end: BatchEnd): string {
  const { tally, how, reason, ledger, log } = end;
  const { done, skipped, repeated, failed, bytes, pixels, total, count } = tally;
  const why = reason === undefined ? '' : `: ${printable(reason.code)} would meet every other job too`;
  const sizes = joinSome(
    bytes > 0 && formatBytes(bytes),
    pixels >= 1e6 && `${formatCount(Math.round(pixels / 1e6))} megapixels`,
  );
  const reasons = joinSome(
    repeated > 0 && `${formatCount(repeated)} repeated in the list`,
    ledger !== undefined && `${repeated > 0 ? 'others ' : ''}done before, says ${ledger}`,
  );
  const lines = [
    `${how} after ${formatDuration(tally.milliseconds)}${why}.`,
    `  done     ${formatCount(done)}${sizes && ` (${sizes})`}`,
    skipped > 0 && `  skipped  ${formatCount(skipped)} (${reasons})`,
    `  failed   ${formatCount(failed)}`,
    how !== 'Finished' && total !== undefined && `  left     ${formatCount(Math.max(0, total - count))}`,
    log !== '' && `  log      ${log}`,
    ...tally.describeFailures(),
    // Only the server's operator knows where the save folder is.
    ...(reason === undefined || reason.folders.length === 0
      ? []
      : [
          '\nMake these folders in the save folder of the server, or let it make folders with createFolders: true:',
          `  mkdir -p ${reason.folders.map((folder) => quote(printable(folder))).join(' ')}`,
        ]),
    (how !== 'Finished' || failed > 0) && `\n${describeHowToGoOn(end)}`,
  ];
  return `${lines.filter((line) => line !== false).join('\n')}\n`;
}

function joinSome(...parts: readonly (string | false)[]): string {
  return parts.filter((part) => part !== false).join(', ');
}

function describeHowToGoOn({ tally, how, ledger, args }: BatchEnd): string {
  if (ledger === undefined)
    return 'Without a ledger, the same command starts from the beginning. With --ledger done.ndjson, the next run does only what is missing.';
  const what = how === 'Finished' ? `try ${plural(tally.failed, 'failed job')} again` : 'go on';
  // Values of headers may be secrets.
  const shown = args.map((argument, index) =>
    argument.replace(args[index - 1] === '--header' ? /:.*/s : /(?<=^--header=[^:]*):.*/s, ': …'),
  );
  const command = ['npx express-image-save', ...shown.map((argument) => quote(argument))].join(' ');
  return `The ledger ${ledger} knows what is done. To ${what}:\n  ${command}`;
}

/** `1234567` → `1,234,567`. */
export function formatCount(count: number): string {
  return count.toLocaleString('en-US');
}

/** `1 job`, `2 jobs`. */
export function plural(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** Three digits: `0.12`, `1.23`, `12.3`, `123`. */
function digits(value: number): string {
  return value >= 99.95 ? formatCount(Math.round(value)) : value.toFixed(value < 9.995 ? 2 : 1);
}

export function formatRate(perSecond: number): string {
  return `${digits(perSecond)}/s`;
}

export function formatBytes(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  let [value, unit] = [bytes, 0];
  while (value >= 999.5 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${unit === 0 ? formatCount(value) : digits(value)} ${units[unit]}`;
}

/** `0.4 s`, `5 s`, `3 min 20 s`, `2 h 5 min`. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds < 9950) return `${(milliseconds / 1000).toFixed(1)} s`;
  const seconds = Math.round(milliseconds / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  return `${formatCount(Math.floor(minutes / 60))} h ${minutes % 60} min`;
}

/** An argument as a shell takes it; on Windows, as cmd does. */
export function quote(argument: string, platform = process.platform): string {
  if (/^[\w@+=:,./-]+$/.test(argument)) return argument;
  if (platform === 'win32') return `"${argument.replaceAll('"', String.raw`\"`)}"`;
  return /^[\w@%+=:,./-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", String.raw`'\''`)}'`;
}

/** Text of others, without what could steer a terminal. */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, '\uFFFD');
}
