// Numbers and rows as Markdown.
import type { Estimate } from './statistics.js';

/** Three significant digits: 0.123, 1.23, 12.3, 123, 1230. */
export function digits(value: number): string {
  if (!Number.isFinite(value)) return '–';
  const decimals = 2 - Math.floor(Math.log10(Math.abs(value) || 1));
  return value.toFixed(Math.min(3, Math.max(0, decimals)));
}

/** @param milliseconds NaN if nothing was measured. */
export function duration(milliseconds: number): string {
  if (Number.isNaN(milliseconds)) return '–';
  return milliseconds < 1 ? `${digits(1000 * milliseconds)} µs` : `${digits(milliseconds)} ms`;
}

/** The median and, in brackets, its 95 % confidence interval. */
export function showEstimate({ median, low, high }: Estimate): string {
  return `${digits(median)} [${digits(low)}–${digits(high)}]`;
}

export function percent(share: number): string {
  return `${digits(100 * share)} %`;
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
