// What the plot of the bench shows when not all could be measured.
import { barsOf, canPlot, OTHERS } from '../../bench/bars.js';
import type { Findings } from '../../bench/part.js';
import type { Finding } from '../../bench/rounds.js';

const refused: Finding = { refused: 'the control is off by 4.0 %, more than 3 %' };
const found = (median: number): Finding => ({ median, low: median, high: median });
const byHand = (size: string): string => `save of ${size}, 16 at once ÷ by hand, wall`;
const at = OTHERS.findIndex(([other]) => other === 'by hand');

test('a ratio that was refused is left out, and the legend says so', () => {
  const findings: Findings = new Map([
    [byHand('20 KB'), found(1.07)],
    [byHand('200 KB'), refused],
    [byHand('5 MB'), found(0.96)],
  ]);
  expect(canPlot(findings)).toBe(true);
  expect(barsOf(findings).map(({ legend, ratios }) => [legend, ratios[at]])).toEqual([
    ['20 KB', 1.07],
    ['200 KB: refused', undefined],
    ['5 MB', 0.96],
  ]);
});

test('what was not measured has no bar', () => {
  const [bars] = barsOf(new Map([[byHand('20 KB'), found(1.07)]]));
  expect(bars?.ratios.filter((ratio) => ratio !== undefined)).toEqual([1.07]);
});

test('without any ratio there is nothing to draw', () => {
  expect(canPlot(new Map([[byHand('20 KB'), refused]]))).toBe(false);
  expect(canPlot(new Map())).toBe(false);
});
