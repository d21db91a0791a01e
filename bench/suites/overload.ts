// Saves that arrive at a multiple of what the renderer can do, each with two seconds until its deadline.
import type { BenchContext } from '../context.js';
import { digits, duration, percent, table } from '../format.js';
import { sendMixed } from '../mixed-load.js';
import { percentile } from '../statistics.js';

export async function overload(context: BenchContext): Promise<void> {
  const rows: string[][] = [];
  for (const library of context.libraries) {
    const { savedPerSecond: capacity } = await sendMixed(library, 'scaled.jpg', { atOnce: 8 }, context);
    rows.push([library.name, '8 at once', `${digits(capacity)} per second`, '', '', '', '']);
    for (const factor of [1, 2, 10]) {
      const load = { perSecond: factor * capacity };
      const { saves, savedPerSecond, ordinary } = await sendMixed(library, 'scaled.jpg', load, context);
      const timedOut = saves.filter(({ text }) => text.includes('status=timeout'));
      const refused = saves.filter(({ text }) => text.includes('error.code=too-busy'));
      rows.push([
        ...[library.name, `${factor} ×`, percent(savedPerSecond / capacity)],
        ...[timedOut, refused].map(({ length }) => percent(length / saves.length)),
        ...[refused.map(({ latency }) => latency), ordinary].map((all) => duration(percentile(all, 0.99))),
      ]);
    }
  }
  const head = ['', 'offered', 'done, of 8 at once', 'timed out', 'refused', 'refusal, p99', 'sendFile, p99'];
  context.print('### overload: saves behind a renderer, timeout=2000');
  context.print(table(head, rows));
}
