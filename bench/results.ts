// Writes the results of a run to the README of this directory, and the chart of the project's README.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import type { Finding } from './comparison.js';
import { digits } from './format.js';

const BEGIN = '<!-- results -->';
const END = '<!-- end of results -->';

/** @param printed All that the run has printed. */
export async function writeResults(
  root: string,
  printed: readonly string[],
  findings: readonly Finding[],
): Promise<void> {
  const file = join(root, 'bench', 'README.md');
  const text = readFileSync(file, 'utf8');
  const [begin, end] = [text.indexOf(BEGIN) + BEGIN.length, text.indexOf(END)];
  const markdown = `${text.slice(0, begin)}\n\n${printed.join('\n\n')}\n\n${text.slice(end)}`;
  const style = await resolveConfig(file);
  writeFileSync(file, await format(markdown, { ...style, parser: 'markdown' }));
  writeFileSync(join(root, 'docs', 'speed.svg'), drawChart(findings));
}

const [LEFT, TOP, ROW, WIDTH] = [390, 40, 22, 320];

/** A bar for each comparison, by processor time, which depends neither on the client nor on what else runs. */
export function drawChart(findings: readonly Finding[]): string {
  const shown = findings.filter(
    ({ comparison, other }) => other !== 'control' && !['ordinary request', 'batch'].includes(comparison),
  );
  const height = TOP + ROW * shown.length + 10;
  const unit = WIDTH / Math.max(2, ...shown.map(({ cpu }) => cpu.median));
  const rows = shown.flatMap(({ comparison, other, cpu: { median } }, index) => {
    const [y, width] = [TOP + ROW * index, Math.round(unit * median)];
    return [
      `<text x="${LEFT - 8}" y="${y + 13}" text-anchor="end">${comparison} ÷ ${other}</text>`,
      `<rect x="${LEFT}" y="${y}" width="${width}" height="${ROW - 6}" fill="#0969da"/>`,
      `<text x="${LEFT + width + 6}" y="${y + 13}">${digits(median)}</text>`,
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
