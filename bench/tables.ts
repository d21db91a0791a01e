// Numbers → the words and tables of the results, in Markdown.
import {
  controlOff,
  ratioTo,
  spread,
  type Finding,
  type Outcome,
  type Quantity,
  type Slice,
} from './rounds.js';

/** Three digits that mean something: 1.23, 12.3, 123, 1230. */
export function digits(value: number): string {
  if (!Number.isFinite(value)) return '–';
  const places = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value) || 1)));
  return value.toFixed(Math.min(places, 3));
}

/** A duration in microseconds, in the unit that suits it. */
export function duration(microseconds: number): string {
  if (microseconds < 1000) return `${digits(microseconds)} µs`;
  return microseconds < 1_000_000 ? `${digits(microseconds / 1000)} ms` : `${digits(microseconds / 1e6)} s`;
}

/** The median, and in brackets the quartiles. */
export function show(finding: Finding, unit = ''): string {
  if ('refused' in finding) return 'refused';
  const { median, low, high } = finding;
  return low === high
    ? `${digits(median)}${unit}`
    : `${digits(median)}${unit} [${digits(low)}–${digits(high)}]`;
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

const median = (slices: readonly Slice[], quantity: Quantity): number =>
  spread(slices.map((slice) => slice[quantity])).median;

const QUANTITIES = ['wall', 'cpu'] as const;

/** A contest: what each variant took, and how often the subject is done in the time of each. */
export function contestTable(outcome: Outcome): string {
  const { name, subject, series, twin } = outcome;
  const rows = [...series].map(([variant, slices]) => [
    variant === subject ? `**${variant}**` : variant,
    ...QUANTITIES.map((quantity) => duration(median(slices, quantity))),
    ...QUANTITIES.map((quantity) => (variant === subject ? '1' : show(ratioTo(outcome, variant, quantity)))),
  ]);
  const off = QUANTITIES.map((quantity) => (100 * controlOff(outcome, quantity)).toFixed(1));
  return [
    `#### ${name}`,
    table(['variant', 'time', 'CPU', `${subject} ÷ it, time`, `${subject} ÷ it, CPU`], rows),
    `${twin.length} rounds; control off by ${off[0] ?? ''} % in time, ${off[1] ?? ''} % in CPU.`,
  ].join('\n\n');
}
