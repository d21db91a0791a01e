// Time and memory as a process ages, as images grow, in bytes and in pixels, and as more saves come at once.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp, { type Sharp } from 'sharp';
import type { Look, Looking } from '../checker.js';
import type { Memory } from '../helper.js';
import { jpegOfBytes, photograph } from '../images.js';
import { fewer, hold, type Findings, type Surroundings } from '../part.js';
import { Helper } from '../processes.js';
import { shuffled, spread, type Slice, type Spread } from '../rounds.js';
import type { Variant } from '../server.js';
import { measure, startAlone } from '../slices.js';
import { digits, duration, show, table } from '../tables.js';

const MEGABYTE = 1e6;

export async function growth(surroundings: Surroundings): Promise<void> {
  const file = join(surroundings.folder, 'growth.jpg');
  writeFileSync(file, await jpegOfBytes(20_000));
  await byAge(surroundings, file);
  await byAtOnce(surroundings, file);
  if (process.platform === 'linux') {
    await byBytes(surroundings);
    await byPixels(surroundings);
  }
}

/** The first saves of a process, whose code is yet to be compiled, thousand by thousand. */
async function byAge(surroundings: Surroundings, file: string): Promise<void> {
  const { client, root, quick } = surroundings;
  const load = { requests: quick ? 16 : 1000, connections: 16 };
  const kinds = ['image-save', 'all-promises'] as const;
  const processes = await Promise.all(
    // Three of each: they differ by up to a tenth.
    [...kinds, ...kinds, ...kinds].map(async (kind, index) => {
      const source = { file, by: 'end' } as const;
      const variant: Variant = { kind, root, verify: 'header', durable: false, source };
      const running = await startAlone(client, variant);
      return { kind, stop: running.stop, run: measure(running, load, `age-${kind}-${index}`) };
    }),
  );
  const rows: string[][] = [];
  for (let thousand = 1; thousand <= (quick ? 2 : 10); thousand++) {
    const slices: Record<(typeof kinds)[number], Slice[]> = { 'image-save': [], 'all-promises': [] };
    for (const { kind, run } of shuffled(processes)) slices[kind].push(await run(thousand));
    const [save, byHand] = kinds.map((kind) => spread(slices[kind].map(({ cpu }) => cpu)).median);
    rows.push([
      `${thousand}.`,
      ...[save, byHand].map((cpu = NaN) => duration(cpu)),
      digits((byHand ?? NaN) / (save ?? NaN)),
    ]);
  }
  await Promise.all(processes.map(({ stop }) => stop()));
  const head = ['thousand', 'imageSave, CPU', 'by hand, all promises, CPU', 'imageSave ÷ it'];
  surroundings.say(['#### The first saves of a process', table(head, rows)].join('\n\n'));
}

/** What a process took while it did something, beyond what it held before. */
async function memoryFor(
  helper: Helper,
  work: () => Promise<Slice>,
): Promise<{ slice: Slice; bytes: number }> {
  await helper.ask('collectGarbage');
  await helper.ask('forgetPeak');
  const { now } = await helper.ask<Memory>('memory');
  const slice = await work();
  const { peak } = await helper.ask<Memory>('memory');
  // The kernel counts in steps, so that a peak can be a little below what was there before.
  return { slice, bytes: Math.max(0, peak - now) };
}

/** Each in a process of its own, several times over: memory that was taken once is kept by the allocator. */
async function byBytes(surroundings: Surroundings): Promise<void> {
  const { client, root, quick, findings } = surroundings;
  const sizes = quick ? [1, 10] : [1, 10, 100, 1000];
  const rows: string[][] = [];
  const variants = [
    ['imageSave', 'image-save', 'header'],
    ['imageSave, pixels', 'image-save', 'pixels'],
    ['plain delivery', 'bare', 'header'],
  ] as const;
  for (const [label, kind, verify] of variants) {
    const variant: Variant = { kind, root, verify, durable: false, source: { stream: true } };
    const runs = new Map<number, { slice: Slice; bytes: number }[]>(sizes.map((size) => [size, []]));
    for (let time = 0; time < (quick ? 1 : 3); time++) {
      const { server, slice, stop } = await startAlone(client, variant);
      const load = { requests: 1, connections: 1 };
      const name = `bytes-${label}-${time}`.replaceAll(/[^\w-]+/g, '-');
      await slice({ requests: 10, connections: 1, bytes: 2 * MEGABYTE }, `${name}-warm-up`);
      for (const size of sizes) {
        const work = (): Promise<Slice> => slice({ ...load, bytes: size * MEGABYTE }, `${name}-${size}`);
        runs.get(size)?.push(await memoryFor(server, work));
      }
      await stop();
    }
    for (const [size, all] of runs) {
      const memory = inMegabytes(all.map(({ bytes }) => bytes));
      findings.set(`memory, ${label}, ${size} MB`, memory);
      const time = spread(all.map(({ slice }) => slice.wall)).median;
      rows.push([`${size} MB`, label, duration(time), show(memory, ' MB')]);
    }
  }
  compareMemory(findings);
  const text = [
    '#### A streamed image, by its bytes',
    table(['image', 'variant', 'time', 'peak − idle memory'], rows),
  ].join('\n\n');
  surroundings.say(text);
}

function compareMemory(findings: Findings): void {
  const save = findings.get('memory, imageSave, 1000 MB');
  const plain = findings.get('memory, plain delivery, 1000 MB');
  if (save === undefined || plain === undefined || 'refused' in save || 'refused' in plain) return;
  const more = save.median - plain.median;
  findings.set('memory, imageSave − plain delivery, 1000 MB', { median: more, low: more, high: more });
}

function inMegabytes(bytes: readonly number[]): Spread {
  return spread(bytes.map((each) => each / MEGABYTE));
}

async function byPixels(surroundings: Surroundings): Promise<void> {
  const { folder, quick, findings } = surroundings;
  const rows: string[][] = [];
  const tile = await (await photograph(1000, 1000)).png().toBuffer();
  const formats: [string, (image: Sharp) => Sharp][] = [
    ['JPEG', (image) => image.jpeg({ quality: 85 })],
    ['PNG', (image) => image.png({ compressionLevel: 1 })],
    ['WebP', (image) => image.webp({ effort: 0 })],
    ['TIFF', (image) => image.tiff({ compression: 'lzw' })],
  ];
  for (const [format, encode] of formats) {
    for (const side of quick ? [1000] : [1000, 3000, 10_000]) {
      const megapixels = side ** 2 / 1e6;
      const file = join(folder, `${format}-${megapixels}`);
      await encode(tiled(tile, side)).toFile(file);
      for (const [label, look] of [
        ['the check', 'pixels'],
        ['full decode', 'decode'],
      ] as const) {
        const { slice, bytes } = await lookAt(file, look);
        const memory = inMegabytes([bytes]);
        findings.set(`memory, ${label} of ${format}, ${megapixels} MP`, memory);
        rows.push([format, `${megapixels} MP`, label, duration(slice.wall), `${digits(memory.median)} MB`]);
      }
    }
  }
  const text = [
    '#### An image in a file, by its pixels',
    table(['format', 'image', 'look', 'time', 'peak − idle memory'], rows),
  ].join('\n\n');
  surroundings.say(text);
}

function tiled(tile: Buffer, side: number): Sharp {
  return sharp({
    create: { width: side, height: side, channels: 3, background: 'white' },
    limitInputPixels: false,
  }).composite([{ input: tile, tile: true }]);
}

async function lookAt(file: string, look: Look): Promise<{ slice: Slice; bytes: number }> {
  const checker = new Helper('checker.ts');
  const looking: Looking = { look, file, times: 1, byPath: true };
  const result = await memoryFor(checker, () => checker.ask<Slice>('check', looking));
  await checker.stop();
  return result;
}

async function byAtOnce(surroundings: Surroundings, file: string): Promise<void> {
  const { client, root, findings } = surroundings;
  const numbers = [512, 512, 1, 16, 64, 256];
  const variant: Variant = {
    kind: 'image-save',
    root,
    verify: 'header',
    durable: false,
    source: { file, by: 'end' },
  };
  const running = await Promise.all(
    numbers.map(async (connections, index) => {
      const { server, slice, stop } = await startAlone(client, variant);
      const load = {
        connections,
        requests: fewer(
          surroundings,
          Math.max(128, Math.min(512, 32 * connections), 2 * connections),
          connections,
        ),
      };
      const name = `at-once-${connections}-${index}`;
      return {
        connections,
        server,
        stop,
        load,
        slice,
        name,
        run: measure({ server, slice, stop }, load, name),
      };
    }),
  );
  const [most, twin, ...others] = running;
  if (most === undefined || twin === undefined) throw new Error('There are no variants');
  const contest = {
    name: 'saves at once',
    subject: '512 at once',
    variants: new Map([most, ...others].map(({ connections, run }) => [`${connections} at once`, run])),
    twin: twin.run,
  };
  await hold(contest, surroundings);
  const rows: string[][] = [];
  for (const { connections, server, slice, load, name } of process.platform === 'linux'
    ? [...others, most]
    : []) {
    const { bytes } = await memoryFor(server, () => slice(load, `${name}-memory`));
    const memory = inMegabytes([bytes]);
    findings.set(`memory, ${connections} at once`, memory);
    rows.push([String(connections), `${digits(memory.median)} MB`]);
  }
  await Promise.all(running.map(({ stop }) => stop()));
  if (rows.length > 0) surroundings.say(table(['saves at once', 'peak − idle memory'], rows));
}
