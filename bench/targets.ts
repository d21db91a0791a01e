// What the middleware is to reach, and whether it does.
import type { Findings } from './part.js';
import type { Finding } from './rounds.js';
import { digits, show, table } from './tables.js';

/** A bound on one finding: at least so much, or at most. */
export interface Target {
  readonly text: string;
  /** The name of the finding. */
  readonly of: string;
  readonly atLeast?: number;
  readonly atMost?: number;
  readonly unit?: string;
}

export type Verdict = 'met' | 'missed' | 'refused' | 'not measured';

const save = (size: string, rest: string, text: string, atLeast: number): Target => ({
  text: `save of ${size} ÷ ${text}`,
  of: `save of ${size}, ${rest}, wall`,
  atLeast,
});

const bySize = (rest: string, text: string, atLeast: readonly [number, number, number]): Target[] =>
  ['20 KB', '200 KB', '5 MB'].map((size, index) => save(size, rest, text, atLeast[index] ?? NaN));

/** The check's time as a share of a full decode's: the check is done so many times in the time of one decode. */
const check = (format: string, atMost: number): Target => ({
  text: `check of ${format}: checks in the time of a full decode`,
  of: `check of ${format} ÷ full decode, wall`,
  atLeast: 1 / atMost,
});

/** A save may cost 1.15 times what the put costs that it is made of. */
const put = (contest: string): Target => ({
  text: `${contest} ÷ the client's put`,
  of: `${contest} ÷ the client's put, wall`,
  atLeast: 0.87,
});

export const TARGETS: readonly Target[] = [
  {
    text: 'pass-through ÷ a middleware that does nothing, CPU',
    of: 'pass-through ÷ a middleware that does nothing, cpu',
    atLeast: 0.99,
  },
  { text: 'the look at a URL', of: 'the look at a URL, ns', atMost: 60, unit: ' ns' },
  ...bySize('16 at once ÷ by hand, all promises', 'by hand, all promises', [0.95, 0.95, 0.95]),
  ...bySize(
    '16 at once, everything on ÷ by hand, all promises',
    'by hand, all promises, everything on',
    [0.95, 0.95, 0.95],
  ),
  ...bySize('16 at once ÷ plain delivery', 'plain delivery, by end', [0.45, 0.55, 1.6]),
  save('5 MB', 'by send ÷ plain delivery', 'plain delivery, by send', 4),
  ...bySize(
    '16 at once ÷ write-file-atomic',
    'write-file-atomic as it comes (only it flushes) and sharp(path)',
    [2.5, 2.5, 1.5],
  ),
  ...bySize(
    '16 at once ÷ write-file-atomic, no flush',
    'write-file-atomic (neither flushes) and sharp(path)',
    [2.5, 2.5, 1.5],
  ),
  ...bySize('16 at once ÷ nginx proxy_store', 'nginx proxy_store', [0.6, 1, 4]),
  ...['20 KB', '200 KB', '5 MB'].flatMap((size) => [
    put(`save to S3 of ${size}`),
    put(`store to S3 of ${size}`),
  ]),
  {
    text: 'real renderer, everything on ÷ plain delivery',
    of: 'real renderer, everything on ÷ plain delivery, wall',
    atLeast: 0.93,
  },
  {
    text: 'real renderer, both off ÷ plain delivery',
    of: 'real renderer, both off ÷ plain delivery, wall',
    atLeast: 0.98,
  },
  check('JPEG', 0.5),
  check('progressive JPEG', 0.5),
  ...['PNG', 'WebP', 'AVIF', 'GIF', 'TIFF'].map((format) => check(format, 1)),
  {
    text: 'memory for 1 GB streamed',
    of: 'memory, imageSave, 1000 MB',
    atMost: 32,
    unit: ' MB',
  },
  {
    text: 'memory for 1 GB streamed, beyond that of plain delivery',
    of: 'memory, imageSave − plain delivery, 1000 MB',
    atMost: 0,
    unit: ' MB',
  },
  { text: '512 saves at once ÷ 16 at once', of: 'saves at once ÷ 16 at once, wall', atLeast: 0.9 },
];

export function verdictOn(
  { atLeast = -Infinity, atMost = Infinity }: Target,
  finding: Finding | undefined,
): Verdict {
  if (finding === undefined) return 'not measured';
  if ('refused' in finding) return 'refused';
  return finding.median >= atLeast && finding.median <= atMost ? 'met' : 'missed';
}

/** All targets of which something was measured. */
export function targetTable(targets: readonly Target[], findings: Findings): string {
  const rows = targets.flatMap((target) => {
    const finding = findings.get(target.of);
    if (finding === undefined) return [];
    const { atLeast, atMost, unit = '' } = target;
    const bound = atLeast === undefined ? `≤ ${digits(atMost ?? NaN)}` : `≥ ${digits(atLeast)}`;
    const measured = 'refused' in finding ? finding.refused : show(finding, unit);
    return [[target.text, bound + unit, measured, verdictOn(target, finding)]];
  });
  return table(['what', 'target', 'measured', ''], rows);
}
