// Numbers and rows as Markdown.
import type { Estimate } from './statistics.js';

/** Three significant digits: 0.123, 1.23, 12.3, 123, 1230. */
export function digits(value: number): string {
  if (!Number.isFinite(value)) return '–';
  const decimals = 2 - Math.floor(Math.log10(Math.abs(value) || 1));
  return value.toFixed(Math.min(3, Math.max(0, decimals)));
}

export function microseconds(value: number): string {
  return value < 1000 ? `${digits(value)} µs` : milliseconds(value / 1000);
}

export function milliseconds(value: number): string {
  return Number.isFinite(value) ? `${digits(value)} ms` : '–';
}

/** The median and, in brackets, its 95 % confidence interval. */
export function showEstimate({ median, low, high }: Estimate): string {
  return `${digits(median)} [${digits(low)}–${digits(high)}]`;
}

export function percent(share: number): string {
  return `${digits(100 * share)} %`;
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
