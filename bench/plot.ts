// The plot of the README: how many saves are done in the time of one of what would be used instead.
import * as echarts from 'echarts';
import { barsOf, OTHERS } from './bars.js';
import type { Findings } from './part.js';
import { digits } from './tables.js';

// In light mode; the style below has what is drawn in them instead in dark mode.
const INK = '#1f2328';
const LINES = '#d1d9e0';
const STYLE =
  '<style>@media (prefers-color-scheme: dark) {' +
  `[fill="${INK}"] { fill: #f0f6fc } [stroke="${INK}"] { stroke: #f0f6fc } ` +
  `[stroke="${LINES}"] { stroke: #3d444d } }</style>`;

/** Bars from 1, on a scale of ratios: to the right, the middleware is ahead. */
export function plot(findings: Findings): string {
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width: 760, height: 420 });
  chart.setOption({
    animation: false,
    color: ['#0969da', '#8250df', '#bf8700'],
    textStyle: { fontFamily: 'sans-serif', color: INK },
    title: {
      text: 'Saves in the time of one of …  (16 at once; further right is better)',
      left: 8,
      textStyle: { fontSize: 14, fontWeight: 'bold', color: INK },
    },
    legend: { top: 34, left: 8, textStyle: { color: INK } },
    grid: { left: 210, right: 60, top: 64, bottom: 32 },
    xAxis: {
      type: 'log',
      axisLabel: { color: INK, formatter: (ratio: number) => `${ratio} ×` },
      splitLine: { lineStyle: { color: LINES } },
    },
    yAxis: {
      type: 'category',
      inverse: true,
      data: OTHERS.map(([, label]) => label),
      axisLabel: { color: INK, fontSize: 13 },
      axisLine: { lineStyle: { color: INK } },
      axisTick: { show: false },
    },
    series: barsOf(findings).map(({ legend, ratios }) => ({
      name: legend,
      type: 'bar',
      data: ratios.map((ratio) => ratio ?? '-'),
      label: {
        show: true,
        position: 'right',
        color: INK,
        formatter: ({ value: ratio }: { value: unknown }) => (typeof ratio === 'number' ? digits(ratio) : ''),
      },
    })),
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return `${svg.replace(/(<svg[^>]*>)/, `$1${STYLE}`).trim()}\n`;
}
