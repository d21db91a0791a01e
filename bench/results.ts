// Writes the results of a run to the README of this directory, and the chart of the project's README.
import { readFileSync, writeFileSync } from 'node:fs';
import { format, resolveConfig } from 'prettier';
import { digits } from './format.js';

/** A ratio for the chart: how fast the subject of a comparison is, by processor time. */
export interface Finding {
  readonly title: string;
  readonly other: string;
  readonly ratio: number;
}

/** @param printed All that the run has printed. */
export async function writeResults(printed: readonly string[], findings: readonly Finding[]): Promise<void> {
  const file = new URL('README.md', import.meta.url);
  const results = /(?<=<!-- results -->).*(?=<!-- end of results -->)/s;
  const markdown = readFileSync(file, 'utf8').replace(results, () => `\n\n${printed.join('\n\n')}\n\n`);
  writeFileSync(file, await format(markdown, { ...(await resolveConfig(file)), parser: 'markdown' }));
  writeFileSync(new URL('../docs/speed.svg', import.meta.url), drawChart(findings));
}

const [LEFT, TOP, ROW, WIDTH] = [390, 40, 22, 320];

/** A bar for each comparison, by processor time, which depends neither on the client nor on what else runs. */
function drawChart(findings: readonly Finding[]): string {
  const shown = findings.filter(
    ({ title, other }) => other !== 'control' && !['ordinary request', 'batch'].includes(title),
  );
  const height = TOP + ROW * shown.length + 10;
  const unit = WIDTH / Math.max(2, ...shown.map(({ ratio }) => ratio));
  const rows = shown.flatMap(({ title, other, ratio }, index) => {
    const [y, width] = [TOP + ROW * index, Math.round(unit * ratio)];
    return [
      `<text x="${LEFT - 8}" y="${y + 13}" text-anchor="end">${title} ÷ ${other}</text>`,
      `<rect x="${LEFT}" y="${y}" width="${width}" height="${ROW - 6}" fill="#0969da"/>`,
      `<text x="${LEFT + width + 6}" y="${y + 13}">${digits(ratio)}</text>`,
    ];
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="760" height="${height}" viewBox="0 0 760 ${height}">`,
    '<style>text { font: 13px sans-serif; fill: #1f2328 } path { stroke: #818b98; stroke-dasharray: 4 }',
    '@media (prefers-color-scheme: dark) { text { fill: #f0f6fc } }</style>',
    '<text x="8" y="20">imageSave ÷ …: requests served for the same processor time (longer is better; the line is 1)</text>',
    ...rows,
    `<path d="M${LEFT + Math.round(unit)} ${TOP - 8}V${height - 8}"/>`,
    '</svg>\n',
  ].join('\n');
}
