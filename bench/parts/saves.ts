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
  startWarmable,
  takingTurns,
  type Load,
  type Warmable,
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

interface Match {
  readonly name: string;
  readonly size: Size;
  readonly by: Way;
  readonly connections: 1 | 16 | 64;
  readonly subject: Setup;
  readonly others: readonly [string, Setup][];
}

function matches(): Match[] {
  return SIZES.flatMap((size): Match[] => {
    const common = { size, by: 'end', connections: 16 } as const;
    const trusting = { kind: 'image-save', ...TRUSTING } as const;
    const name = (rest: string): string => `save of ${size.name}, ${rest}`;
    // Of large images, every variant more takes a minute of the disk.
    const large = size.bytes > 1e6;
    return [
      {
        ...{ ...common, name: name('16 at once'), subject: trusting },
        others: [...OTHERS, ...(large ? MORE_OTHERS.slice(0, 2) : MORE_OTHERS)],
      },
      {
        ...{ ...common, name: name('16 at once, durable') },
        ...{ subject: { kind: 'image-save', ...DURABLE }, others: OTHERS_THAT_FLUSH },
      },
      {
        ...{ ...common, name: name('16 at once, everything on') },
        ...{
          subject: { kind: 'image-save', ...EVERYTHING },
          others: large ? OTHERS_WITH_EVERYTHING.slice(0, 2) : OTHERS_WITH_EVERYTHING,
        },
      },
      { ...common, name: name('1 at once'), connections: 1, subject: trusting, others: OTHERS },
      ...(large
        ? []
        : [
            {
              ...common,
              name: name('64 at once'),
              connections: 64,
              subject: trusting,
              others: OTHERS,
            } as const,
          ]),
      { ...common, name: name('by send'), by: 'send', subject: trusting, others: [PLAIN] },
      { ...common, name: name('piped'), by: 'pipe', subject: trusting, others: [PLAIN] },
    ];
  });
}

export async function saves(surroundings: Surroundings): Promise<void> {
  if (!Nginx.isThere)
    surroundings.say('Without nginx, which is not installed: on Debian, it is in `nginx-light`.');
  const files = new Map<Size, string>();
  for (const size of SIZES) {
    const file = join(surroundings.folder, `${size.bytes}.jpg`);
    writeFileSync(file, await jpegOfBytes(size.bytes));
    files.set(size, file);
  }
  for (const match of matches().filter(({ name }) => name.includes(surroundings.only))) {
    await play(match, files, surroundings);
  }
}

/** Two processes of the same code can differ by a tenth, by what their compilers happened to see first. */
const PROCESSES = 3;

async function play(
  { name, size, by, connections, subject, others }: Match,
  files: ReadonlyMap<Size, string>,
  surroundings: Surroundings,
): Promise<void> {
  const [small = ''] = files.values();
  const file = files.get(size) ?? small;
  const { client, root } = surroundings;
  const load: Load = { requests: fewer(surroundings, size.requests[connections]), connections };
  const begin = async (label: string, { nginx, ...setup }: Setup): Promise<[string, Warmable[]]> => {
    const variant: Variant = { ...setup, root, source: { file, by } };
    const start = nginx ? startNginx : startWarmable;
    const processes = Array.from({ length: PROCESSES }, () => start(client, variant, small));
    return [label, await Promise.all(processes)];
  };
  const here = others.filter(([, { nginx }]) => nginx === undefined || Nginx.isThere);
  const running = await Promise.all(
    [['imageSave', subject] as const, ['twin', subject] as const, ...here].map(([label, setup]) =>
      begin(label, setup),
    ),
  );
  // One after the other: the client does one thing at a time.
  for (const [label, processes] of surroundings.quick ? [] : running) {
    for (const [index, { warmUp }] of processes.entries()) await warmUp(`${name}-${label}-${index}`);
  }
  const measures = new Map<string, Measure>(
    running.map(([label, processes]) => {
      const each = processes.map((one) => measure(one, load, `${name}-${label}`));
      // The subject's turns are shorter, so that each of its processes meets each of the others'.
      return [label, takingTurns(each, label === 'imageSave' ? 1 : PROCESSES)];
    }),
  );
  const twin = measures.get('twin');
  if (twin === undefined) throw new Error('There is no control');
  measures.delete('twin');
  // What drifts cancels out the better the shorter a round is: of small images, rather more of them than longer ones.
  const rounds = size.bytes > 1e6 ? surroundings.rounds : 2 * surroundings.rounds;
  await hold({ name, subject: 'imageSave', variants: measures, twin }, { ...surroundings, rounds });
  await Promise.all(running.flatMap(([, processes]) => processes.map(({ stop }) => stop())));
  emptyFolders(root, name);
}
