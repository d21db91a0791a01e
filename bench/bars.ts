// What the plot shows: a bar for each ratio that could be measured, and a word where its control forbade it.
import type { Findings } from './part.js';

const SIZES = ['20 KB', '200 KB', '5 MB'];

/** What is compared with, by its name in the contests and in the plot. */
export const OTHERS = [
  ['plain delivery', 'plain delivery, nothing saved'],
  ['by hand', 'a short route by hand'],
  ['by hand, all promises', 'by hand, with all promises'],
  ['write-file-atomic, no flush', 'write-file-atomic, no flush'],
  ['write-file-atomic', 'write-file-atomic, flushing'],
  ['nginx proxy_store', 'nginx proxy_store'],
  ['no server', 'file and rename, no server'],
] as const;

/** The bars of one size of images. */
export interface Bars {
  readonly legend: string;
  /** In the order of the others; undefined where there is nothing to show. */
  readonly ratios: readonly (number | undefined)[];
}

export function barsOf(findings: Findings): Bars[] {
  return SIZES.map((size) => {
    const all = OTHERS.map(([other]) => findings.get(`save of ${size}, 16 at once ÷ ${other}, wall`));
    // One control stands for all bars of a size.
    const isRefused = all.some((finding) => finding !== undefined && 'refused' in finding);
    return {
      legend: isRefused ? `${size}: refused` : size,
      ratios: all.map((finding) =>
        finding === undefined || 'refused' in finding ? undefined : finding.median,
      ),
    };
  });
}

/** Whether there is anything to be drawn. */
export function canPlot(findings: Findings): boolean {
  return barsOf(findings).some(({ ratios }) => ratios.some((ratio) => ratio !== undefined));
}
