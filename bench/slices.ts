// One slice: so many requests to one variant, into a fresh folder, timed, and looked after whether they did it.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import type { Run } from './client.js';
import { Nginx } from './nginx.js';
import { Helper } from './processes.js';
import type { Measure, Slice } from './rounds.js';
import type { Kind, RawRun, Variant } from './server.js';

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

const KINDS_THAT_SAVE: readonly Kind[] = ['image-save', 'by-hand', 'by-descriptor', 'write-file-atomic'];

/** Starts a process for each variant: none has the code or the garbage of another in its way. */
export async function startAlone(client: Helper, variant: Variant): Promise<Running> {
  const [running] = await startTogether(client, [variant]);
  if (running === undefined) throw new RangeError('There is no variant');
  return running;
}

/** Starts one process for several variants: they differ in nothing but their code. */
export async function startTogether(client: Helper, variants: readonly Variant[]): Promise<Running[]> {
  const server = new Helper('server.ts', variants);
  const ports = await server.ask<number[]>('listen');
  return variants.map((variant, index) => ({
    server,
    stop: () => server.stop(),
    slice: (load, label) =>
      variant.kind === 'raw'
        ? rawSlice(server, variant, load, label)
        : httpSlice({ client, server, port: ports[index] ?? 0, variant, cpuBeside: () => 0 }, load, label),
  }));
}

/** Starts nginx in front of an app that only delivers, each in a process of its own. */
export async function startNginx(client: Helper, app: Variant): Promise<Running> {
  const server = new Helper('server.ts', [app]);
  const [appPort = 0] = await server.ask<number[]>('listen');
  // Its copies are found where those of the others are.
  const nginx = await Nginx.start(join(app.root, '..'), appPort);
  const way = { client, server, port: nginx.port, variant: app, cpuBeside: () => nginx.cpu(), saves: true };
  return {
    server,
    slice: (load, label) => httpSlice(way, load, label),
    stop: async () => {
      await Promise.all([nginx.stop(), server.stop()]);
    },
  };
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
  const obeys = KINDS_THAT_SAVE.includes(variant.kind) && load.withoutCommand !== true;
  const folder = join(variant.root, label);
  mkdirSync(folder);
  const extension = 'stream' in variant.source ? 'tif' : 'jpg';
  const query = load.bytes === undefined ? 'wid=800' : `bytes=${load.bytes}`;
  const run: Run = {
    ...load,
    port,
    path: obeys
      ? `/image/shoe?${query}&req=saveToFile&name=${label}/#.${extension}`
      : `/image/${label}/#.${extension}?${query}`,
  };
  await settle(server, variant.root);
  await client.ask('connect', run);
  const before = (await server.ask<number>('cpu')) + way.cpuBeside();
  const wall = await client.ask<number>('run', run);
  const after = (await server.ask<number>('cpu')) + way.cpuBeside();
  await client.ask('hangUp');
  checkSaved(folder, obeys || way.saves === true ? load.requests : 0);
  return { wall: wall / load.requests, cpu: (after - before) / load.requests };
}

async function rawSlice(server: Helper, { root }: Variant, load: Load, label: string): Promise<Slice> {
  const folder = join(root, label);
  await settle(server, root);
  const before = await server.ask<number>('cpu');
  const wall = await server.ask<number>('raw', { folder, ...load } satisfies RawRun);
  const after = await server.ask<number>('cpu');
  checkSaved(folder, load.requests);
  return { wall: wall / load.requests, cpu: (after - before) / load.requests };
}

/** What a slice before this one has left to do, in memory or on the disk, is not for this one to pay. */
async function settle(server: Helper, root: string): Promise<void> {
  // Where there is no such command, the disk goes on with it meanwhile.
  spawnSync('sync', ['-f', root]);
  await server.ask('collectGarbage');
}

/** What does not save is no save, however fast. */
function checkSaved(folder: string, requests: number): void {
  const files = readdirSync(folder).length;
  if (files !== requests) throw new Error(`${files} files are in ${folder}, not ${requests}`);
}

/** A contest's measure: slices of one variant, each in a folder of its own. */
export function measure(running: Running, load: Load, name: string): Measure {
  return (round) => running.slice(load, folderName(`${name}-${round}`));
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
