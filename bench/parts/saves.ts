// Saves of images that are ready: against plain delivery, and against all that saves them otherwise.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { jpegOfBytes } from '../images.js';
import { Nginx } from '../nginx.js';
import { fewer, hold, type Surroundings } from '../part.js';
import type { Measure } from '../rounds.js';
import type { Variant } from '../server.js';
import {
  emptyFolders,
  measure,
  startNginx,
  startTogether,
  takingTurns,
  WARM_UPS,
  warmUp,
  type Load,
  type Running,
} from '../slices.js';

interface Size {
  readonly name: string;
  readonly bytes: number;
  /** Requests of a slice, by connections. */
  readonly requests: Readonly<Record<1 | 16 | 64, number>>;
}

/** The name of a size, and the number of its connections, in the names of the contests. */
export const SIZES: readonly Size[] = [
  { name: '20 KB', bytes: 20_000, requests: { 1: 120, 16: 256, 64: 256 } },
  { name: '200 KB', bytes: 200_000, requests: { 1: 60, 16: 128, 64: 128 } },
  { name: '5 MB', bytes: 5_000_000, requests: { 1: 4, 16: 16, 64: 64 } },
];

type Way = 'end' | 'send' | 'pipe';

/** What a variant does, without its root and its image. */
type Setup = Pick<Variant, 'kind' | 'verify' | 'durable'> & { readonly nginx?: true };

const TRUSTING = { verify: 'header', durable: false } as const;
const DURABLE = { verify: 'header', durable: true } as const;
const EVERYTHING = { verify: 'pixels', durable: true } as const;

const PLAIN: [string, Setup] = ['plain delivery', { kind: 'bare', ...TRUSTING }];
const BY_HAND: [string, Setup] = ['by hand', { kind: 'by-hand', ...TRUSTING }];

/** Against a save that trusts the renderer and the disk. */
const OTHERS: readonly [string, Setup][] = [
  PLAIN,
  BY_HAND,
  ['write-file-atomic, no flush', { kind: 'write-file-atomic', ...TRUSTING }],
  ['nginx proxy_store', { kind: 'bare', ...TRUSTING, nginx: true }],
  ['no server', { kind: 'raw', ...TRUSTING }],
];

const MORE_OTHERS: readonly [string, Setup][] = [
  ['by hand, all promises', { kind: 'all-promises', ...TRUSTING }],
  ['write-file-atomic', { kind: 'write-file-atomic', ...DURABLE }],
  ['imageSave, pixels', { kind: 'image-save', verify: 'pixels', durable: false }],
  ['imageSave, durable', { kind: 'image-save', ...DURABLE }],
];

/** Against a save that waits for the disk. */
const OTHERS_THAT_FLUSH: readonly [string, Setup][] = [
  ['by hand', { kind: 'by-hand', ...DURABLE }],
  ['write-file-atomic', { kind: 'write-file-atomic', ...DURABLE }],
];

/** Against a save that looks at every pixel and waits for the disk. */
const OTHERS_WITH_EVERYTHING: readonly [string, Setup][] = [
  ['by hand', { kind: 'by-hand', ...EVERYTHING }],
  ['by hand, all promises', { kind: 'all-promises', ...EVERYTHING }],
  ['write-file-atomic', { kind: 'write-file-atomic', ...EVERYTHING }],
];

/** What is held against the same subject: its processes, once warm, serve all sizes and are used for all of it. */
interface Group {
  readonly by: Way;
  readonly subject: Setup;
  readonly matches: readonly Match[];
}

interface Match {
  /** What its name has after the size. */
  readonly rest: string;
  readonly sizes: readonly Size[];
  readonly connections: 1 | 16 | 64;
  readonly others: readonly [string, Setup][];
}

// Of large images, every variant more takes a minute of the disk.
const LARGE = SIZES.filter(({ bytes }) => bytes > 1e6);
const SMALL = SIZES.filter((size) => !LARGE.includes(size));

const GROUPS: readonly Group[] = [
  {
    by: 'end',
    subject: { kind: 'image-save', ...TRUSTING },
    matches: [
      { rest: '16 at once', sizes: SMALL, connections: 16, others: [...OTHERS, ...MORE_OTHERS] },
      { rest: '16 at once', sizes: LARGE, connections: 16, others: [...OTHERS, ...MORE_OTHERS.slice(0, 2)] },
      { rest: '1 at once', sizes: SIZES, connections: 1, others: OTHERS },
      { rest: '64 at once', sizes: SMALL, connections: 64, others: OTHERS },
    ],
  },
  {
    by: 'end',
    subject: { kind: 'image-save', ...DURABLE },
    matches: [{ rest: '16 at once, durable', sizes: SIZES, connections: 16, others: OTHERS_THAT_FLUSH }],
  },
  {
    by: 'end',
    subject: { kind: 'image-save', ...EVERYTHING },
    matches: [
      { rest: '16 at once, everything on', sizes: SMALL, connections: 16, others: OTHERS_WITH_EVERYTHING },
      {
        ...{ rest: '16 at once, everything on', sizes: LARGE, connections: 16 },
        others: OTHERS_WITH_EVERYTHING.slice(0, 2),
      },
    ],
  },
  ...(['send', 'pipe'] as const).map((by): Group => ({
    by,
    subject: { kind: 'image-save', ...TRUSTING },
    matches: [{ rest: by === 'send' ? 'by send' : 'piped', sizes: SIZES, connections: 16, others: [PLAIN] }],
  })),
];

const nameOf = (size: Size, { rest }: Match): string => `save of ${size.name}, ${rest}`;

export async function saves(surroundings: Surroundings): Promise<void> {
  if (!Nginx.isThere)
    surroundings.say('Without nginx, which is not installed: on Debian, it is in `nginx-light`.');
  const files = SIZES.map(({ bytes }) => join(surroundings.folder, `${bytes}.jpg`));
  for (const [index, { bytes }] of SIZES.entries()) {
    writeFileSync(files[index] ?? '', await jpegOfBytes(bytes));
  }
  for (const group of GROUPS) await playAll(group, files, surroundings);
}

/** One process of a variant, which serves each of {@link SIZES}. */
type Process = readonly Running[];

/** Two processes of the same code can differ by a tenth, by what their compilers happened to see first. */
const PROCESSES = 3;

const SUBJECT = 'imageSave';
const TWIN = 'twin';

async function playAll(
  { by, subject, matches }: Group,
  files: readonly string[],
  surroundings: Surroundings,
): Promise<void> {
  const { client, root, only, quick } = surroundings;
  const contests = matches
    .map((match): Match => ({
      ...match,
      others: match.others.filter(([, { nginx }]) => !nginx || Nginx.isThere),
    }))
    .flatMap((match) => match.sizes.map((size) => ({ size, match, name: nameOf(size, match) })))
    .filter(({ name }) => name.includes(only));
  if (contests.length === 0) return;

  const begin = ({ nginx, ...setup }: Setup): Promise<Process> => {
    const variants = files.map((file): Variant => ({ ...setup, root, source: { file, by } }));
    return (nginx ? startNginx : startTogether)(client, variants);
  };
  const setups = new Map<string, Setup>([
    [SUBJECT, subject],
    [TWIN, subject],
    ...contests.flatMap(({ match }) => match.others),
  ]);
  const processes = new Map<string, readonly Process[]>();
  for (const [label, setup] of setups) {
    processes.set(label, await Promise.all(Array.from({ length: PROCESSES }, () => begin(setup))));
  }
  // One after the other: the client does one thing at a time.
  for (const [label, each] of quick ? [] : processes) {
    for (const [index, one] of each.entries()) {
      const [small] = one;
      if (small !== undefined) await warmUp(small, `${contests[0]?.name ?? ''}-${label}-${index}`);
    }
  }
  emptyFolders(root, WARM_UPS);
  for (const { size, match, name } of contests) {
    await play(name, size, match, processes, surroundings);
    emptyFolders(root, name);
  }
  await Promise.all([...processes.values()].flat(2).map(({ stop }) => stop()));
}

async function play(
  name: string,
  size: Size,
  { connections, others }: Match,
  processes: ReadonlyMap<string, readonly Process[]>,
  surroundings: Surroundings,
): Promise<void> {
  const load: Load = { requests: fewer(surroundings, size.requests[connections]), connections };
  const measureOf = (label: string): Measure => {
    const each = (processes.get(label) ?? []).flatMap((one) => one[SIZES.indexOf(size)] ?? []);
    // The subject's turns are shorter, so that each of its processes meets each of the others'.
    return takingTurns(
      each.map((one) => measure(one, load, `${name}-${label}`)),
      label === SUBJECT ? 1 : PROCESSES,
    );
  };
  const variants = new Map(
    [SUBJECT, ...others.map(([label]) => label)].map((label) => [label, measureOf(label)]),
  );
  // What drifts cancels out the better the shorter a round is: of small images, rather more of them than longer ones.
  const rounds = LARGE.includes(size) ? surroundings.rounds : 2 * surroundings.rounds;
  await hold({ name, subject: SUBJECT, variants, twin: measureOf(TWIN) }, { ...surroundings, rounds });
}
