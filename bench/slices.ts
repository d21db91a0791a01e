// One slice: so many requests to one variant, into a fresh folder, timed, and looked after whether they did it.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { countImages } from './bucket.js';
import type { Run } from './client.js';
import { hasServer, obeysCommand } from './kinds.js';
import { Nginx } from './nginx.js';
import { Helper } from './processes.js';
import type { Measure, Slice } from './rounds.js';
import type { RawRun, Variant } from './server.js';

/** How much a slice is. It is bounded by requests and not by time, so that all variants do the same work. */
export interface Load {
  readonly requests: number;
  /** Connections, each with one request at a time. */
  readonly connections: number;
  /** Requests without the command, also to what would obey it. */
  readonly withoutCommand?: boolean;
  /** How long the image is to be, where the renderer makes it as long as it is asked to. */
  readonly bytes?: number;
}

/** A variant that runs. */
export interface Running {
  /** Runs a slice; `label` names its folder and is given once. */
  readonly slice: (load: Load, label: string) => Promise<Slice>;
  readonly server: Helper;
  readonly stop: () => Promise<void>;
}

/** Enough for the compiler to find what is worth its work: see `growth`, the first saves of a process. */
const WARM_UP: Load = { requests: 4000, connections: 16 };

/** Starts a process for each variant: none has the code or the garbage of another in its way. */
export async function startAlone(client: Helper, variant: Variant): Promise<Running> {
  const [running] = await startTogether(client, [variant]);
  if (running === undefined) throw new RangeError('There is no variant');
  return running;
}

/**
 * Lets a process do what it is there for until its code is compiled. Where the images are large and a slice has few of
 * them, by its variant with a small one.
 */
export async function warmUp({ slice }: Running, label: string): Promise<void> {
  await slice(WARM_UP, folderName(`${WARM_UPS} ${label}`));
}

/** What the folders of warm-ups begin with: see {@link emptyFolders}. */
export const WARM_UPS = 'warm-up';

/** Starts one process for several variants. Stopping one stops all. */
export async function startTogether(client: Helper, variants: readonly Variant[]): Promise<Running[]> {
  const server = new Helper('server.ts', variants);
  const ports = await server.ask<number[]>('listen');
  return variants.map((variant, index) => ({
    server,
    stop: () => server.stop(),
    slice: (load, label) =>
      hasServer(variant.kind)
        ? httpSlice({ client, server, port: ports[index] ?? 0, variant, cpuBeside: () => 0 }, load, label)
        : rawSlice(server, variant, index, load, label),
  }));
}

/** Starts an nginx in front of each of several apps that only deliver, these in one process. Stopping one stops all. */
export async function startNginx(client: Helper, apps: readonly Variant[]): Promise<Running[]> {
  const server = new Helper('server.ts', apps);
  const ports = await server.ask<number[]>('listen');
  const all: [Variant, Nginx][] = [];
  for (const [index, app] of apps.entries()) {
    // Its copies are found where those of the others are.
    all.push([app, await Nginx.start(join(app.root, '..'), ports[index] ?? 0)]);
  }
  const stop = async (): Promise<void> => {
    await Promise.all([...all.map(([, nginx]) => nginx.stop()), server.stop()]);
  };
  return all.map(([variant, nginx]) => {
    const way = { client, server, port: nginx.port, variant, cpuBeside: () => nginx.cpu(), saves: true };
    return { server, stop, slice: (load, label) => httpSlice(way, load, label) };
  });
}

interface Way {
  readonly client: Helper;
  readonly server: Helper;
  readonly port: number;
  readonly variant: Variant;
  /** Processor time of what else serves, in microseconds. */
  readonly cpuBeside: () => number;
  /** Whether a file is made of each request without a command to do so. */
  readonly saves?: boolean;
}

async function httpSlice(way: Way, load: Load, label: string): Promise<Slice> {
  const { client, server, port, variant } = way;
  const obeys = obeysCommand(variant.kind) && load.withoutCommand !== true;
  mkdirSync(join(variant.root, label));
  const extension = 'stream' in variant.source ? 'tif' : 'jpg';
  const query = load.bytes === undefined ? 'wid=800' : `bytes=${load.bytes}`;
  const run: Run = {
    ...load,
    port,
    path: obeys
      ? `/image/shoe?${query}&req=saveToFile&name=${label}/#.${extension}`
      : `/image/${label}/#.${extension}?${query}`,
  };
  settle(variant.root);
  await client.ask('connect', run);
  const before = (await server.ask<number>('cpu')) + way.cpuBeside();
  const wall = await client.ask<number>('run', run);
  const after = (await server.ask<number>('cpu')) + way.cpuBeside();
  await client.ask('hangUp');
  await checkSaved(variant, label, obeys || way.saves === true ? load.requests : 0);
  return { wall: wall / load.requests, cpu: (after - before) / load.requests };
}

async function rawSlice(
  server: Helper,
  variant: Variant,
  index: number,
  load: Load,
  label: string,
): Promise<Slice> {
  mkdirSync(join(variant.root, label));
  settle(variant.root);
  const before = await server.ask<number>('cpu');
  const wall = await server.ask<number>('raw', { index, label, ...load } satisfies RawRun);
  const after = await server.ask<number>('cpu');
  await checkSaved(variant, label, load.requests);
  return { wall: wall / load.requests, cpu: (after - before) / load.requests };
}

/**
 * What a slice before this one has left the disk to do is not for this one to pay. Garbage is collected when it is due:
 * to do it between slices, when nothing is alive, would also throw away what the compiler has learned.
 */
function settle(root: string): void {
  // Where there is no such command, the disk goes on with it meanwhile.
  spawnSync('sync', ['-f', root]);
}

/** What does not save is no save, however fast. */
async function checkSaved({ root, source, bucket }: Variant, label: string, requests: number): Promise<void> {
  const folder = join(root, label);
  const files = readdirSync(folder)
    .map((file) => statSync(join(folder, file)).size)
    .filter((size) => !('file' in source) || size === statSync(source.file).size);
  const saved =
    bucket === undefined || !('file' in source)
      ? files.length
      : await countImages(bucket, label, statSync(source.file).size);
  if (saved !== requests) throw new Error(`${saved} whole images are in ${label}, not ${requests}`);
}

/** A contest's measure: slices of one variant, each in a folder of its own. */
export function measure(running: Running, load: Load, name: string): Measure {
  return (round) => running.slice(load, folderName(`${name}-${round}`));
}

/** Lets some take turns, each of them for so many rounds at a time. */
export function takingTurns(measures: readonly Measure[], rounds: number): Measure {
  return (round) => {
    const turn = Math.floor(Math.abs(round) / rounds) % measures.length;
    const measureNow = measures[turn];
    if (measureNow === undefined) throw new RangeError('There is nobody to take a turn');
    return measureNow(round);
  };
}

function folderName(name: string): string {
  return name.replaceAll(/[^\w-]+/g, '-');
}

/** Gives back the space of all files whose measure's name begins so. What is emptied slows nothing; what is deleted would. */
export function emptyFolders(root: string, name: string): void {
  const folders = readdirSync(root).filter((folder) => folder.startsWith(folderName(name)));
  for (const folder of folders) {
    for (const file of readdirSync(join(root, folder))) truncateSync(join(root, folder, file));
  }
}
