// Saves of images that are ready: against plain delivery, and against all that saves them otherwise.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { jpegOfBytes } from '../images.js';
import { Nginx } from '../nginx.js';
import { fewer, hold, type Findings, type Report, type Surroundings } from '../part.js';
import type { Measure } from '../rounds.js';
import type { Variant } from '../server.js';
import { emptyFolders, measure, startAlone, startNginx, type Load, type Running } from '../slices.js';

interface Size {
  readonly name: string;
  readonly bytes: number;
  /** Requests of a slice, by connections. */
  readonly requests: Readonly<Record<1 | 16 | 64, number>>;
}

/** The name of a size, and the number of its connections, in the names of the contests. */
export const SIZES: readonly Size[] = [
  { name: '20 KB', bytes: 20_000, requests: { 1: 60, 16: 128, 64: 128 } },
  { name: '200 KB', bytes: 200_000, requests: { 1: 40, 16: 64, 64: 64 } },
  { name: '5 MB', bytes: 5_000_000, requests: { 1: 4, 16: 16, 64: 64 } },
];

type Way = 'end' | 'send' | 'pipe';

/** What a variant does, without its root and its image. */
type Setup = Pick<Variant, 'kind' | 'verify' | 'durable'> & { readonly nginx?: true };

const TRUSTING = { verify: 'header', durable: false } as const;
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
  ['by hand, by descriptor', { kind: 'by-descriptor', ...TRUSTING }],
  ['write-file-atomic', { kind: 'write-file-atomic', verify: 'header', durable: true }],
  ['imageSave, pixels', { kind: 'image-save', verify: 'pixels', durable: false }],
  ['imageSave, durable', { kind: 'image-save', verify: 'header', durable: true }],
];

/** Against a save that looks at every pixel and waits for the disk. */
const OTHERS_WITH_EVERYTHING: readonly [string, Setup][] = [
  ['by hand', { kind: 'by-hand', ...EVERYTHING }],
  ['by hand, by descriptor', { kind: 'by-descriptor', ...EVERYTHING }],
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
    return [
      { ...common, name: name('16 at once'), subject: trusting, others: [...OTHERS, ...MORE_OTHERS] },
      {
        ...{ ...common, name: name('16 at once, everything on') },
        ...{ subject: { kind: 'image-save', ...EVERYTHING }, others: OTHERS_WITH_EVERYTHING },
      },
      { ...common, name: name('1 at once'), connections: 1, subject: trusting, others: OTHERS },
      {
        ...{ ...common, name: name('64 at once'), connections: 64, subject: trusting },
        // Of large images, 64 at once fill the disk faster than anything else here.
        others: size.bytes > 1e6 ? [PLAIN] : OTHERS,
      },
      { ...common, name: name('by send'), by: 'send', subject: trusting, others: [PLAIN] },
      { ...common, name: name('piped'), by: 'pipe', subject: trusting, others: [PLAIN] },
    ];
  });
}

export async function saves(surroundings: Surroundings): Promise<Report> {
  const findings: Findings = new Map();
  const texts: string[] = [];
  const files = new Map<Size, string>();
  for (const size of SIZES) {
    const file = join(surroundings.folder, `${size.bytes}.jpg`);
    writeFileSync(file, await jpegOfBytes(size.bytes));
    files.set(size, file);
  }
  for (const match of matches().filter(({ name }) => name.includes(surroundings.only))) {
    texts.push(await play(match, files.get(match.size) ?? '', surroundings, findings));
  }
  return { text: texts.join('\n\n'), findings };
}

async function play(
  { name, size, by, connections, subject, others }: Match,
  file: string,
  surroundings: Surroundings,
  findings: Findings,
): Promise<string> {
  const { client, root } = surroundings;
  const load: Load = { requests: fewer(surroundings, size.requests[connections]), connections };
  const begin = async (label: string, { nginx, ...setup }: Setup): Promise<[string, Running]> => {
    const variant: Variant = { ...setup, root, source: { file, by } };
    return [label, await (nginx ? startNginx(client, variant) : startAlone(client, variant))];
  };
  const here = others.filter(([, { nginx }]) => nginx === undefined || Nginx.isThere);
  const running = await Promise.all(
    [['imageSave', subject] as const, ['twin', subject] as const, ...here].map(([label, setup]) =>
      begin(label, setup),
    ),
  );
  const measures = new Map<string, Measure>(
    running.map(([label, each]) => [label, measure(each, load, `${name}-${label}`)]),
  );
  const twin = measures.get('twin');
  if (twin === undefined) throw new Error('There is no control');
  measures.delete('twin');
  const { text } = await hold(
    { name, subject: 'imageSave', variants: measures, twin },
    surroundings,
    findings,
  );
  await Promise.all(running.map(([, { stop }]) => stop()));
  emptyFolders(root, name);
  return text;
}
